"""Loads a model package from the artifact store: verified and ready to score, or refused."""

from __future__ import annotations

import datetime as dt
import functools
import logging
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

import msgspec

from features.contract.feature_contract import (
    Contract,
    ContractError,
    contract_of,
    from_json,
    selected,
)
from features.declare import columns as c
from features.declare.declarations import Own
from features.declare.streams import STREAMS
from ontime_base.errors import OntimeError
from serving.models.exported_graph import numbers_of, read_exported
from serving.models.model_package import (
    CARD,
    CONTRACT,
    MODEL,
    SELF_TEST,
    Manifest,
    ModelPackageError,
    SelfTest,
    read_model_package,
)
from serving.models.scorer import RowScorer, ScorerError, require_self_test
from serving.schema.clock import minutes
from serving.telemetry.logs import log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serving.models.explanations import Explainer
    from serving.models.scorer import FeatureValue
    from serving.schema.responses import Explanation
    from serving.stores.artifacts.protocol import ArtifactStore


class ModelRefusedError(OntimeError):
    """A model version may not be served: damaged, not what was released, or of other code."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A verified model version in memory.

    Attributes:
        name: Registered model.
        version: Its version.
        manifest_sha256: Checksum of its manifest.
        contract: Its features and its operating threshold.
        scorer: Scores rows of those features.
        card: Its model card, HTML.
        learned: Scheduled departures of the first and the last flight that it has learned from, in
            minutes since the epoch; None where its package does not say.
        carriers: The carriers that it has learned something about; None if it reads no carrier.
        tables: The silver tables whose events its features read.
        explainer: Returns the explainer of its predictions, built at the first call.
    """

    name: str
    version: str
    manifest_sha256: str
    contract: Contract
    scorer: RowScorer
    card: bytes = field(default=b"", repr=False)
    learned: tuple[int, int] | None = None
    carriers: frozenset[str] | None = field(default=None, repr=False)
    tables: frozenset[str] = frozenset()
    explainer: Callable[[], Explainer | None] = field(default=lambda: None, repr=False)

    def explanation(self, row: Sequence[FeatureValue]) -> Explanation | None:
        """Return the reasons of the prediction for a row; None where the model file lacks them."""
        explainer = self.explainer()
        return None if explainer is None else explainer.explain(row)


def load_model(
    store: ArtifactStore, *, model_name: str, version: str, manifest_sha256: str | None = None
) -> LoadedModel:
    """Return the version after checking its checksums, its contract and its self-test.

    Args:
        store: Where the package is.
        model_name: Registered model.
        version: Its version.
        manifest_sha256: The manifest that was released; None takes the one stored.

    Raises:
        ModelRefusedError: Names the check that failed.
        StoreError: The store cannot be read.
    """
    try:
        package = read_model_package(
            store, model_name=model_name, version=version, manifest_sha256=manifest_sha256
        )
        contract = _contract(package.files[CONTRACT])
        _require_known(contract)
        scorer = open_scorer(package.files[MODEL], contract)
        require_self_test(scorer, _self_test(package.files[SELF_TEST]))
    except (ModelPackageError, ContractError, ScorerError) as error:
        raise ModelRefusedError(
            f"Version {version} of model {model_name} was refused. {error}"
        ) from error
    explainer = functools.cache(functools.partial(_explainer, package.files[MODEL], contract))
    return LoadedModel(
        model_name,
        version,
        package.manifest_sha256,
        contract,
        scorer,
        card=package.files[CARD],
        learned=_learned(package.manifest),
        carriers=_carriers(package.files[MODEL], contract),
        tables=_tables(contract),
        explainer=explainer,
    )


def open_scorer(
    model: bytes, contract: Contract, *, with_onnxruntime: bool | None = None
) -> RowScorer:
    """Return a scorer of an exported model.

    Uses onnxruntime where it is installed. The scorer in pure Python, which the function in the
    cloud carries, starts in a fraction of the time and takes longer per row. Both give the same
    bits for a row (docs/adr/0015-lambda-without-numpy.md).

    Args:
        model: Bytes of the exported model.
        contract: Names, types and order of the features.
        with_onnxruntime: Whether to use onnxruntime; by default, if it is installed.

    Raises:
        ScorerError: The bytes are no model, or do not fit the contract.
    """
    if with_onnxruntime is None:
        with_onnxruntime = find_spec("onnxruntime") is not None
    if with_onnxruntime:
        from serving.models.onnx_scorer import OnnxScorer  # noqa: PLC0415 - may not be installed

        return OnnxScorer(model, contract)
    from serving.models.python_scorer import PythonScorer  # noqa: PLC0415 - only where it scores

    return PythonScorer(model, contract)


def _explainer(model: bytes, contract: Contract) -> Explainer | None:
    from serving.models.explanations import Explainer  # noqa: PLC0415 - few processes explain

    try:
        return Explainer(model, contract)
    except ScorerError as error:
        log(logging.WARNING, "no_explanations", reason=str(error))
        return None


def _learned(manifest: Manifest) -> tuple[int, int] | None:
    if manifest.learned_from is None or manifest.learned_until is None:
        return None
    try:
        since, until = map(
            dt.datetime.fromisoformat, (manifest.learned_from, manifest.learned_until)
        )
        return minutes(since), minutes(until)
    except (ValueError, TypeError) as error:
        raise ModelPackageError(
            f"The manifest of version {manifest.version} says that it learned from "
            f"'{manifest.learned_from}' until '{manifest.learned_until}', which are no instants: "
            "publish another version."
        ) from error


def _carriers(model: bytes, contract: Contract) -> frozenset[str] | None:
    """Return the carriers that an exported model has a rank for."""
    if c.CARRIER not in contract.categorical:
        return None
    try:
        categories = read_exported(model, numbers_of(contract)).categories
    except ScorerError:  # a file of another tool: only onnxruntime can read it
        return None
    return frozenset(categories[contract.categorical.index(c.CARRIER)])


def _tables(contract: Contract) -> frozenset[str]:
    """Return the silver tables whose events the features of a contract read."""
    features = selected(feature.name for feature in contract.features)
    return frozenset(
        STREAMS[each.stream].table
        for feature in features
        for each in feature.inputs
        if not isinstance(each, Own)
    )


def _contract(body: bytes) -> Contract:
    try:
        return from_json(body)
    except UnicodeDecodeError as error:
        raise ContractError(
            f"Its contract cannot be read ({error}): publish the version again."
        ) from error


def _require_known(contract: Contract) -> None:
    """Check that this code declares the features exactly as the code that trained the model."""
    ours = contract_of(
        contract.horizon_min,
        contract.operating_threshold,
        [feature.name for feature in contract.features],
        late_from_min=contract.late_from_min,
    )
    if ours != contract:
        raise ContractError(
            "The features of its contract differ from their declarations in this code: deploy the "
            "code that trained it, or train a version with this code."
        )


def _self_test(body: bytes) -> SelfTest:
    try:
        return msgspec.json.decode(body, type=SelfTest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ContractError(
            f"Its self-test cannot be read ({error}): publish the version again."
        ) from error
