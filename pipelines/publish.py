"""Stage publish: writes the challenger's package and the online items to the serving stores."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from pipelines.online.materialize import materialize
from pipelines.release.packaging import publish_version
from pipelines.runtime.context import StageOutcome
from pipelines.runtime.fingerprint import fingerprint
from pipelines.runtime.source_code import code_of
from serving.stores.opening import open_online_store

if TYPE_CHECKING:
    from pipelines.runtime.context import RunContext


def run(context: RunContext) -> StageOutcome:
    """Publish the registered version as challenger, if its gates passed, and the online features.

    Args:
        context: What every stage is given.

    Raises:
        ModelPackageError: What is published as this version is damaged.
        RegistryError: The registry does not have the version.
        RunFileError: The training run has lost its files.
        LedgerConflictError: Somebody else decided something meanwhile.
        StoreError: A store cannot be written.
    """
    settings = context.settings
    with closing(open_online_store(settings.serving.stores, settings.home)) as online:
        items = materialize(
            context.reader,
            online,
            retain_days=settings.operations.online_days,
            horizon_min=settings.features.horizon_min,
            made_from=_items_made_from(context),
        )
    notes = [f"online features: {items:,} items"]
    registered = context.outputs("register")
    version, manifest = str(registered["version"]), None
    if registered["passed"]:
        manifest, note = publish_version(context, version)
        notes.append(note)
    else:
        notes.append(f"version {version} is not published: its gates refused it")
    outputs = {"version": version, "manifest_sha256": manifest, "items": items}
    return StageOutcome(outputs, tuple(notes))


def _items_made_from(context: RunContext) -> str:
    """Return a fingerprint of all that decides the online items; empty if they are to be forced."""
    if "publish" in context.forced:
        return ""
    return fingerprint(
        {
            **code_of(materialize.__module__),
            "silver": "".join(map(str, sorted(context.outputs("ingest")["silver"].items()))),
            "online_days": str(context.settings.operations.online_days),
            "horizon_min": str(context.settings.features.horizon_min),
        }
    )
