"""Staleness checks beyond a stage's record: outside inputs, and outputs that may be missing.

A declaration in `pipelines.stages` names them; here each name has its function.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from operations.ledger.ledger import read_ledger
from operations.release.reconciliation import document_of
from pipelines.sources.discovery import find_files
from serving.models.model_package import list_versions
from serving.models.release_document import ReleaseError, read_release
from serving.online.online_state import read_watermark
from serving.schema.clock import MS_PER_MINUTE, now_ms
from serving.stores.opening import open_online_store
from training.settings import tracking_uri

if TYPE_CHECKING:
    from pipelines.runtime.context import RunContext
    from pipelines.runtime.stage_records import StageRecord
    from pipelines.stages import Stage


def outside_inputs(stage: Stage, context: RunContext) -> Mapping[str, str]:
    """Return the inputs of a stage that no stage makes, each with its checksum.

    Raises:
        SourceError: A source file is not there.
    """
    found: dict[str, str] = {}
    for name in stage.outside:
        found |= OUTSIDE_INPUTS[name](context)
    return found


def missing_output(stage: Stage, context: RunContext, record: StageRecord) -> str:
    """Return what a recorded stage made that is no longer there; empty if all is.

    Quick, and without Spark or MLflow: it checks that outputs exist, not their content.
    """
    for check in stage.checks:
        name, _, about = check.partition(":")
        for each in _filled(about, record.outputs):
            missing = CHECKS[name](context, record, each)
            if missing:
                return missing
    return ""


def _filled(text: str, outputs: Mapping[str, Any]) -> list[str]:
    """Return a text with `{output}` replaced by the output, or once for each of its keys."""
    found = re.search(r"\{(\w+)\}", text)
    if found is None:
        return [text]
    output = outputs[found[1]]
    values = output if isinstance(output, Mapping) else [output]
    return [text.replace(found[0], str(value)) for value in values]


def _source_files(context: RunContext) -> dict[str, str]:
    return {
        f"{source}: {file.name}": file.checksum
        for source, places in context.settings.sources
        for file in find_files(places)
    }


def _table(context: RunContext, _: StageRecord, table: str) -> str:
    root = context.settings.tables_root
    if ":" in root:  # not a local folder: a look there would take a session
        return ""
    return "" if Path(root, table, "_delta_log").is_dir() else f"table {table} is gone"


def _tracking_run(context: RunContext, record: StageRecord, _: str) -> str:
    store = tracking_uri(context.settings.training, context.settings.home)
    path = Path(store.removeprefix("sqlite:///"))
    if store.startswith("sqlite:///") and not path.is_file():
        return f"run {record.outputs['run_id']} is gone with {path}"
    return ""


def _ledger_entry(context: RunContext, record: StageRecord, _: str) -> str:
    version = record.outputs["version"]
    if read_ledger(context.artifacts).about(version, "registered") is None:
        return f"the ledger does not have version {version}"
    return ""


def _model_package(context: RunContext, record: StageRecord, _: str) -> str:
    name, version = context.settings.serving.model_name, record.outputs["version"]
    published = record.outputs["manifest_sha256"] is not None
    if published and version not in list_versions(context.artifacts, model_name=name):
        return f"the model package of version {version} is gone"
    return ""


def _online_store(context: RunContext, _: StageRecord, __: str) -> str:
    if context.settings.serving.stores.online != "sqlite":
        return ""
    if not (context.settings.home / "serving.db").is_file():
        return "the online store is gone"
    with closing(
        open_online_store(context.settings.serving.stores, context.settings.home)
    ) as store:
        ahead = read_watermark(store).is_ahead(now_ms() // MS_PER_MINUTE)
    return "the watermark of the online store is later than now" if ahead else ""


def _release_document(context: RunContext, record: StageRecord, _: str) -> str:
    if record.outputs["outcome"] == "wait":
        return "it waited for the rollout"
    try:
        release = read_release(context.artifacts)
    except ReleaseError:
        return "the release document is not readable"
    if (release.document if release else None) != document_of(read_ledger(context.artifacts)):
        return "the release document does not follow the ledger"
    return ""


# What a declaration may name.
OUTSIDE_INPUTS: Final[Mapping[str, Callable[[RunContext], dict[str, str]]]] = {
    "source_files": _source_files,
}
CHECKS: Final[Mapping[str, Callable[[RunContext, StageRecord, str], str]]] = {
    "table": _table,
    "tracking_run": _tracking_run,
    "ledger_entry": _ledger_entry,
    "model_package": _model_package,
    "online_store": _online_store,
    "release_document": _release_document,
}
