"""Stage publish: the challenger's package and the online features to the serving stores."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from operations.decisions import Decisions
from operations.release import follow_ledger
from pipelines.command import stage_main
from pipelines.context import StageOutcome
from pipelines.online import materialize
from serving.clock import iso_ms
from serving.model_package import (
    FILES,
    list_versions,
    read_model_package,
    write_model_package,
)
from serving.release import ReleasedVersion

if TYPE_CHECKING:
    from pipelines.context import RunContext


def run(context: RunContext) -> StageOutcome:
    """Publish the registered version as challenger, if its gates passed, and the online features.

    Args:
        context: What every stage is given.

    Raises:
        ModelPackageError: What is published as this version is damaged.
        RunFileError: The training run has lost its files.
        LedgerConflictError: Somebody else decided something meanwhile.
        StoreError: A store cannot be written.
    """
    where, days = context.settings.home / "serving.db", context.settings.operations.online_days
    items = materialize(context.tables, where, retain_days=days)
    notes = [f"online features: {items:,} items"]
    registered = context.outputs("register")
    version, manifest = str(registered["version"]), None
    if registered["passed"]:
        manifest = _publish(context, version)
        notes.append(f"version {version} is in the artifact store and released as challenger")
    else:
        notes.append(f"version {version} is not published: its gates refused it")
    outputs = {"version": version, "manifest_sha256": manifest, "items": items}
    return StageOutcome(outputs, tuple(notes))


def _publish(context: RunContext, version: str) -> str:
    """Release a version as challenger and return the checksum of its package's manifest."""
    store, name = context.artifacts, context.settings.serving.model_name
    if version in list_versions(store, model_name=name):  # never changed: neither is its card
        manifest = read_model_package(store, model_name=name, version=version).manifest_sha256
    else:
        manifest = _package(context, version)
    decisions = Decisions(store=store, model=name, by="pipeline")
    decisions.published(ReleasedVersion(version, manifest))
    follow_ledger(store, context.registry)
    return manifest


def _package(context: RunContext, version: str) -> str:
    registered = context.registry.get(version)
    return write_model_package(
        context.artifacts,
        model_name=context.settings.serving.model_name,
        version=version,
        run_id=registered.run_id,
        created_at=iso_ms(registered.created_at),
        files=context.registry.files(version, FILES),
    )


if __name__ == "__main__":
    sys.exit(stage_main("publish"))
