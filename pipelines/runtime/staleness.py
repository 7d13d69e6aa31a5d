"""What a stage's record cannot know: inputs that no stage makes, and outputs that may be gone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from operations.ledger.ledger import read_ledger
from operations.release.reconciliation import document_of
from pipelines.sources.discovery import find_files
from serving.models.model_package import list_versions
from serving.models.release_document import ReleaseError, read_release
from training.settings import tracking_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pipelines.runtime.context import RunContext
    from pipelines.runtime.stage_records import StageRecord


def outside_inputs(stage: str, context: RunContext) -> Mapping[str, str]:
    """Return the inputs of a stage that no stage makes, each with its checksum.

    Raises:
        SourceError: A source file is not there.
    """
    if stage != "ingest":
        return {}
    return {
        f"{source}: {file.name}": file.checksum
        for source, places in context.settings.sources
        for file in find_files(places)
    }


def missing_output(stage: str, context: RunContext, record: StageRecord) -> str:
    """Return what a recorded stage made that is no longer there; empty if all is.

    Quick, and without Spark or MLflow: it looks whether things are there, not into them.
    """
    look = _LOOKS.get(stage)
    return look(context, record) if look else ""


def _silver_gone(context: RunContext, record: StageRecord) -> str:
    return _gone(context, [f"silver_{source}" for source in record.outputs["silver"]])


def _gold_gone(context: RunContext, record: StageRecord) -> str:
    return _gone(context, [record.outputs["table"]])


def _gone(context: RunContext, tables: Iterable[str]) -> str:
    root = context.settings.tables_root
    if ":" in root:  # not a local folder: looking there would take a session
        return ""
    for table in tables:
        if not Path(root, table, "_delta_log").is_dir():
            return f"table {table} is gone"
    return ""


def _run_gone(context: RunContext, record: StageRecord) -> str:
    store = tracking_uri(context.settings.training, context.settings.home)
    path = Path(store.removeprefix("sqlite:///"))
    if store.startswith("sqlite:///") and not path.is_file():
        return f"run {record.outputs['run_id']} is gone with {path}"
    return ""


def _version_not_in_ledger(context: RunContext, record: StageRecord) -> str:
    version = record.outputs["version"]
    if read_ledger(context.artifacts).about(version, "registered") is None:
        return f"the ledger does not have version {version}"
    return ""


def _package_gone(context: RunContext, record: StageRecord) -> str:
    name, version = context.settings.serving.model_name, record.outputs["version"]
    published = record.outputs["manifest_sha256"] is not None
    if published and version not in list_versions(context.artifacts, model_name=name):
        return f"the model package of version {version} is gone"
    at_home = context.settings.serving.stores.online == "sqlite"
    if at_home and not (context.settings.home / "serving.db").is_file():
        return "the online store is gone"
    return ""


def _document_astray(context: RunContext, record: StageRecord) -> str:
    if record.outputs["outcome"] == "wait":
        return "it waited for the rollout"
    try:
        release = read_release(context.artifacts)
    except ReleaseError:
        return "the release document is not readable"
    if (release.document if release else None) != document_of(read_ledger(context.artifacts)):
        return "the release document does not follow the ledger"
    return ""


_LOOKS: Mapping[str, Callable[[RunContext, StageRecord], str]] = {
    "ingest": _silver_gone,
    "build_features": _gold_gone,
    "train": _run_gone,
    "register": _version_not_in_ledger,
    "publish": _package_gone,
    "promote": _document_astray,
}
