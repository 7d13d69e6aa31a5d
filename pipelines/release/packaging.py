"""Packages a registered version: publishes it as challenger, verifies it before a release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operations.ledger.ledger import read_ledger
from operations.ledger.state import state_at
from operations.release.deciders import PIPELINE
from operations.release.decisions import Decisions, known_run
from operations.release.promotion_policy import withdrawal
from operations.release.reconciliation import follow_ledger
from serving.models.model_package import (
    FILES,
    list_versions,
    read_model_package,
    write_model_package,
)
from serving.models.release_document import ReleasedVersion
from serving.schema.clock import iso_ms
from training.registry.registry_errors import RegistryError, RegistryUnusableError

if TYPE_CHECKING:
    from pipelines.runtime.context import RunContext


class ForeignRegistryError(RegistryError):
    """The registry is not the one that the ledger is of."""


def publish_version(context: RunContext, version: str) -> tuple[str, str]:
    """Release a version as challenger, unless it is released already or was withdrawn.

    Args:
        context: What every stage is given.
        version: Its number.

    Returns:
        The checksum of its package's manifest, and a line on what it is released as.

    Raises:
        RegistryError: The registry does not have the version.
        ModelPackageError: What is published as this version is damaged.
        RunFileError: The training run has lost its files.
        LedgerConflictError: Somebody else released something meanwhile.
    """
    store, name = context.artifacts, context.settings.serving.model_name
    require_registered(context, version)
    if version in list_versions(store, model_name=name):  # immutable: its model card is as well
        manifest = read_model_package(store, model_name=name, version=version).manifest_sha256
    else:
        manifest = _write_package(context, version)
    decisions = Decisions(store=store, model=name, by=PIPELINE)
    decisions.published(ReleasedVersion(version, manifest))
    follow_ledger(store, context.registry)
    return manifest, f"version {version} is in the artifact store {_status(context, version)}"


def require_registered(context: RunContext, version: str) -> None:
    """Refuse a version that the registry lacks, or has with another run than the ledger.

    Raises:
        RegistryError: The registry lacks it, or cannot be reached.
        LedgerError: The ledger has another run for it.
    """
    model = context.settings.serving.model_name
    registered = context.registry.get(version)
    known_run(read_ledger(context.artifacts), model, version, registered.run_id)


def require_servable(context: RunContext, package: ReleasedVersion, *, force: bool = False) -> None:
    """Refuse a package that servers would refuse; a registry that is down or lost is only reported.

    Args:
        context: Stores, registry, settings and console.
        package: The version, with the checksum of its published package.
        force: Accept a version that was deleted from the registry.

    Raises:
        ModelPackageError: The package is damaged.
        RegistryError: The registry of this ledger lacks the version: somebody deleted it.
    """
    read_model_package(
        context.artifacts,
        model_name=context.settings.serving.model_name,
        version=package.version,
        manifest_sha256=package.manifest_sha256,
    )
    try:
        require_own_registry(context)
        require_registered(context, package.version)
    except (RegistryUnusableError, ForeignRegistryError) as error:
        # It had the version when that was released, and the package has all that servers need.
        context.console.say(f"continuing without the registry: {error}")
    except RegistryError as error:
        if not force:
            raise
        context.console.say(f"continuing, as --force was given: {error}")


def require_own_registry(context: RunContext) -> None:
    """Refuse a registry that is not the one of the ledger: empty, renamed, lost or begun anew.

    Raises:
        ForeignRegistryError: It has no version of the ledger, or other ones under their numbers.
        RegistryUnusableError: It cannot be reached.
    """
    model, registry = context.settings.serving.model_name, context.registry
    versions = {each.version: each.run_id for each in registry.versions()}
    recorded = {
        entry.version: entry.evidence.get("run_id")
        for entry in read_ledger(context.artifacts).entries
        if entry.kind == "registered" and entry.model == model
    }
    shared = recorded.keys() & versions.keys()
    if recorded and (not shared or any(versions[each] != recorded[each] for each in shared)):
        raise ForeignRegistryError(
            f"The registry has {len(versions)} versions of {model}, and not those of the ledger: "
            "it is empty, renamed, or begun anew. Restore the registry (mlflow.db) that the ledger "
            "is of."
        )


def _write_package(context: RunContext, version: str) -> str:
    registered = context.registry.get(version)
    return write_model_package(
        context.artifacts,
        model_name=context.settings.serving.model_name,
        version=version,
        run_id=registered.run_id,
        created_at=iso_ms(registered.created_at),
        files=context.registry.files(version, FILES),
        learned=context.registry.learned(version),
    )


def _status(context: RunContext, version: str) -> str:
    """Return what a published version is released as, or why it is not."""
    state = state_at(read_ledger(context.artifacts).entries)
    champion = state.release.champion
    if champion is not None and champion.version == version:
        return "and the champion"
    withdrawn = withdrawal(version, state)
    return f"and not released: {withdrawn}" if withdrawn else "and released as challenger"
