"""A registered version to the artifact store, released as challenger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operations.ledger.ledger import read_ledger
from operations.ledger.state import state_at
from operations.release.decisions import Decisions
from operations.release.promotion_policy import withdrawal
from operations.release.reconciliation import follow_ledger
from pipelines.release.people import require_registered
from serving.models.model_package import (
    FILES,
    list_versions,
    read_model_package,
    write_model_package,
)
from serving.models.release_document import ReleasedVersion
from serving.schema.clock import iso_ms

if TYPE_CHECKING:
    from pipelines.runtime.context import RunContext


def publish_version(context: RunContext, version: str) -> tuple[str, str]:
    """Release a version as challenger, unless it is released or was taken back.

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
    if version in list_versions(store, model_name=name):  # never changed: neither is its card
        manifest = read_model_package(store, model_name=name, version=version).manifest_sha256
    else:
        manifest = _write(context, version)
    decisions = Decisions(store=store, model=name, by="pipeline")
    decisions.published(ReleasedVersion(version, manifest))
    follow_ledger(store, context.registry)
    return manifest, f"version {version} is in the artifact store {_place(context, version)}"


def _write(context: RunContext, version: str) -> str:
    registered = context.registry.get(version)
    return write_model_package(
        context.artifacts,
        model_name=context.settings.serving.model_name,
        version=version,
        run_id=registered.run_id,
        created_at=iso_ms(registered.created_at),
        files=context.registry.files(version, FILES),
    )


def _place(context: RunContext, version: str) -> str:
    """Return what a published version is released as, or why it is not."""
    state = state_at(read_ledger(context.artifacts).entries)
    champion = state.release.champion
    if champion is not None and champion.version == version:
        return "and the champion"
    taken_back = withdrawal(version, state)
    return f"and not released: {taken_back}" if taken_back else "and released as challenger"
