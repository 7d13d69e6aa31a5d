"""The feature contract of a model: names, types, order and declarations of its features."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from features.catalog import FEATURES
from features.declare.declarations import Own
from features.declare.streams import LATE_FROM_MIN, STREAMS
from ontime_base.errors import OntimeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from features.declare.declarations import Feature

SCHEMA: Final = 1
_LABEL: Final = re.compile(r"arrival delay >= (\d+) min")


class ContractError(OntimeError):
    """A contract cannot be read, or names features that are not declared."""


def label_meaning(late_from_min: int) -> str:
    """Return the label of a contract as text, by the arrival delay from which a flight is late."""
    return f"arrival delay >= {late_from_min} min"


class FeatureSpec(msgspec.Struct, frozen=True):
    """One column of a model's input.

    Attributes:
        name: Name of the feature.
        dtype: `float64` (missing is NaN) or `string` (missing is the empty string).
        unit: Unit of the value.
        null: What a missing value means.
    """

    name: str
    dtype: Literal["float64", "string"]
    unit: str
    null: str


class Contract(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The inputs of a model and the meaning of its output.

    Attributes:
        schema: Version of this format.
        horizon_min: Minutes from the prediction time to the scheduled departure.
        features: The model's inputs, in order.
        feature_hash: SHA-256 of the declarations of those features.
        operating_threshold: Probability from which a flight is called late.
        label: Definition of the label.
    """

    schema: int
    horizon_min: int
    features: tuple[FeatureSpec, ...]
    feature_hash: str
    operating_threshold: float
    label: str = label_meaning(LATE_FROM_MIN)

    @property
    def late_from_min(self) -> int:
        """The arrival delay from which a flight is labelled late.

        Raises:
            ContractError: The label is another one.
        """
        found = _LABEL.fullmatch(self.label)
        if found is None:
            raise ContractError(
                f"The contract has the label '{self.label}', which this code does not know: deploy "
                "the code that trained the model."
            )
        return int(found[1])

    @property
    def numeric(self) -> tuple[str, ...]:
        """Names of the numeric features, in order."""
        return tuple(spec.name for spec in self.features if spec.dtype == "float64")

    @property
    def categorical(self) -> tuple[str, ...]:
        """Names of the text features, in order."""
        return tuple(spec.name for spec in self.features if spec.dtype == "string")


def contract_of(
    horizon_min: int,
    threshold: float,
    names: Iterable[str] | None = None,
    *,
    late_from_min: int = LATE_FROM_MIN,
    features: tuple[Feature, ...] = FEATURES,
) -> Contract:
    """Return the contract for a model over declared features.

    Args:
        horizon_min: Minutes from the prediction time to the scheduled departure.
        threshold: The operating threshold.
        names: The model's features, in order; by default all declared ones.
        late_from_min: Arrival delay from which a flight is labelled late.
        features: The declared features.

    Raises:
        ContractError: A name is not declared.
    """
    chosen = selected(names, features)
    specs = tuple(FeatureSpec(f.name, f.dtype, f.unit, f.null) for f in chosen)
    label = label_meaning(late_from_min)
    return Contract(SCHEMA, horizon_min, specs, feature_hash(chosen), threshold, label)


def selected(
    names: Iterable[str] | None = None, features: tuple[Feature, ...] = FEATURES
) -> tuple[Feature, ...]:
    """Return declared features by name, all of them without names.

    Raises:
        ContractError: A name is not declared.
    """
    if names is None:
        return features
    declared = {feature.name: feature for feature in features}
    wanted = tuple(names)
    unknown = [name for name in wanted if name not in declared]
    if unknown:
        raise ContractError(
            f"No feature is declared as {', '.join(unknown)}: see docs/features.md for those that "
            "are, or rebuild the model with the current code."
        )
    return tuple(declared[name] for name in wanted)


def feature_hash(features: Iterable[Feature]) -> str:
    """Return the SHA-256 of the declarations and of the streams they read, without their wording.

    Name, type, unit, inputs and function of each feature count, and so does each stream's rule for
    when an event is known.
    """
    declared = tuple(features)
    reads = {item.stream for f in declared for item in f.inputs if not isinstance(item, Own)}
    lines = [repr(STREAMS[name]) for name in sorted(reads)]
    lines += [
        f"{f.name}|{f.dtype}|{f.unit}|{_inputs_text(f)}|"
        f"{f.compute.__module__}.{f.compute.__qualname__}"
        for f in declared
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _inputs_text(feature: Feature) -> str:
    """Return the inputs as text for the hash, with the class names of the first release."""
    return repr(feature.inputs).replace("OpenIntervals(", "Standing(")


def conflicts_between(one: Contract, other: Contract) -> tuple[str, ...]:
    """Return the reasons why models of two contracts cannot be served side by side; () if they can.

    Both read the same online features, so a feature that both have must be the same, and their
    predictions are comparable only for the same label. A feature that only one has is no conflict.
    """
    found = []
    if one.label != other.label:
        found.append(f"the label is {one.label!r} in one and {other.label!r} in the other")
    known = {spec.name: spec for spec in other.features}
    for spec in one.features:
        twin = known.get(spec.name, spec)
        if (spec.dtype, spec.unit) != (twin.dtype, twin.unit):
            found.append(
                f"{spec.name} is {spec.dtype} in {spec.unit} in one and "
                f"{twin.dtype} in {twin.unit} in the other"
            )
    return tuple(found)


def to_json(contract: Contract) -> bytes:
    """Return the contract as canonical JSON: equal contracts give equal bytes."""
    return msgspec.json.format(msgspec.json.encode(contract, order="deterministic"), indent=2)


def from_json(data: bytes) -> Contract:
    """Return a contract read from JSON.

    Raises:
        ContractError: The bytes are not a contract of a schema that this code supports.
    """
    try:
        contract = msgspec.json.decode(data, type=Contract)
    except msgspec.DecodeError as error:
        raise ContractError(
            f"The contract is not valid: {error}. Publish the model again."
        ) from error
    if contract.schema != SCHEMA:
        raise ContractError(
            f"The contract has schema {contract.schema}, this code reads {SCHEMA}: "
            "deploy the code that wrote it, or publish the model again."
        )
    return contract
