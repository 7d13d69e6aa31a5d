"""From a package in the artifact store to a model that may answer: verified, or refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from features.contract import Contract, ContractError, contract_of, from_json
from features.errors import OntimeError
from serving.model_package import (
    CARD,
    CONTRACT,
    MODEL,
    SELF_TEST,
    ModelPackageError,
    SelfTest,
    read_model_package,
)
from serving.scoring import RowScorer, ScorerError, open_scorer, require_self_test

if TYPE_CHECKING:
    from serving.stores.artifacts import ArtifactStore


class ModelRefusedError(OntimeError):
    """A model version may not answer: damaged, not what was released, or not of this code."""


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
    """

    name: str
    version: str
    manifest_sha256: str
    contract: Contract
    scorer: RowScorer
    card: bytes = field(default=b"", repr=False)


def load_model(
    store: ArtifactStore, *, model_name: str, version: str, manifest_sha256: str | None = None
) -> LoadedModel:
    """Return the version once its checksums, its contract and its self-test hold.

    Args:
        store: Where the package is.
        model_name: Registered model.
        version: Its version.
        manifest_sha256: The manifest that was released; None takes the one stored.

    Raises:
        ModelRefusedError: Says which of them does not hold.
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
    return LoadedModel(
        model_name, version, package.manifest_sha256, contract, scorer, package.files[CARD]
    )


def _contract(body: bytes) -> Contract:
    try:
        return from_json(body)
    except UnicodeDecodeError as error:
        raise ContractError(f"Its contract cannot be read ({error}): publish it anew.") from error


def _require_known(contract: Contract) -> None:
    """Check that this code computes features exactly as the code that trained the model did."""
    ours = contract_of(
        contract.horizon_min,
        contract.operating_threshold,
        [feature.name for feature in contract.features],
    )
    if ours != contract:
        raise ContractError(
            "The features of its contract are declared otherwise in this code: deploy the code "
            "that trained it, or train a version with this code."
        )


def _self_test(body: bytes) -> SelfTest:
    try:
        return msgspec.json.decode(body, type=SelfTest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ContractError(f"Its self-test cannot be read ({error}): publish it anew.") from error
