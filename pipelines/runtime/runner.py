"""Runs one stage: checks whether it is stale, executes it, and records its success."""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, cast

from pipelines.runtime.fingerprint import difference, fingerprint, parts_of, places_of
from pipelines.runtime.settings_reads import UndeclaredSettingError, undeclared_settings
from pipelines.runtime.stage_records import StageRecord, UnreadableRecordError
from pipelines.runtime.staleness import missing_output, outside_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.runtime.context import RunContext, StageOutcome
    from pipelines.stages import Stage, Value


class StageRun(Protocol):
    """The signature of every stage's `run`."""

    def __call__(self, context: RunContext, **arguments: Value | None) -> StageOutcome:
        """Do the stage's work and return what it made."""


@dataclass(frozen=True)
class StageReport:
    """The outcome of one stage in this run.

    Attributes:
        stage: Its name.
        skipped: Whether it had nothing to do.
        seconds: How long it took, deciding included.
        outputs: Its outputs, of this run or of its last success.
    """

    stage: str
    skipped: bool
    seconds: float
    outputs: Mapping[str, Any] = field(default_factory=dict)

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON types, for programs."""
        return {
            "stage": self.stage,
            "skipped": self.skipped,
            "seconds": round(self.seconds, 3),
            "outputs": dict(self.outputs),
        }


def run_stage(
    stage: Stage,
    context: RunContext,
    *,
    force: bool = False,
    arguments: Mapping[str, Value] | None = None,
    strict: bool = False,
) -> StageReport:
    """Run a stage, unless nothing that its result is made from has changed.

    The record is removed before the work starts and written after it has succeeded: a stage that
    dies in the middle counts as not done.

    Args:
        stage: The stage.
        context: What it is given.
        force: Run it even if nothing changed, and let it rebuild everything.
        arguments: Named arguments of its `run`; those left out have their defaults.
        strict: Fail if it reads a setting that it does not declare; else a warning is printed.

    Raises:
        UndeclaredSettingError: It read one, under `strict`; nothing is recorded.
        OntimeError: The stage cannot do its work; nothing is recorded.
    """
    started = time.perf_counter()
    named = {p.argument: p.default for p in stage.parameters if not p.setting} | dict(
        arguments or {}
    )
    outside = outside_inputs(stage, context)
    parts = parts_of(stage, context, outside=outside, arguments=named)
    parts |= places_of(stage, context.settings)
    record, why = _reason_to_run(stage, context, parts, force=force)
    if record is not None and not why:
        context.console.stage_skipped(stage.name, f"nothing changed since {record.finished_at}")
        seconds = time.perf_counter() - started
        return StageReport(stage.name, skipped=True, seconds=seconds, outputs=record.outputs)
    context.console.stage_started(stage.name, stage.title, why)
    if force:
        context.forced.add(stage.name)
    context.records.remove(stage.name)
    reads: set[str] = set()
    outcome = stage_function(stage)(context.recording(reads), **named)
    _require_outputs(stage, outcome)
    _check_declared(stage, context, reads, strict=strict)
    seconds = time.perf_counter() - started
    context.records.write(
        stage.name,
        StageRecord(
            fingerprint=fingerprint(parts),
            parts=parts,
            outputs=dict(outcome.outputs),
            seconds=round(seconds, 3),
            finished_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ"),
        ),
    )
    context.console.stage_ended(stage.name, seconds, outcome.notes)
    return StageReport(stage.name, skipped=False, seconds=seconds, outputs=outcome.outputs)


def stage_function(stage: Stage) -> StageRun:
    """Return what does a stage's work; imported only now: a skipped stage needs no libraries."""
    return cast("StageRun", importlib.import_module(stage.module).run)


def _require_outputs(stage: Stage, outcome: StageOutcome) -> None:
    missing = [name for name in stage.outputs if name not in outcome.outputs]
    if missing:
        raise TypeError(f"stage {stage.name} did not hand back {', '.join(missing)}")


def _check_declared(stage: Stage, context: RunContext, reads: set[str], *, strict: bool) -> None:
    """Report settings that a stage read and does not declare: it might be skipped wrongly.

    Raises:
        UndeclaredSettingError: It read some, under `strict`.
    """
    undeclared = undeclared_settings(stage, reads)
    if not undeclared:
        return
    message = (
        f"stage {stage.name} reads {', '.join(undeclared)}, which its declaration in "
        "pipelines/stages.py does not name"
    )
    if strict:
        raise UndeclaredSettingError(f"{message}: add it to settings, places or other_settings")
    context.console.step(f"warning: {message}")


def _reason_to_run(
    stage: Stage, context: RunContext, parts: Mapping[str, str], *, force: bool
) -> tuple[StageRecord | None, str]:
    """Return the stage's record, and why it has to run all the same; empty if it has not."""
    try:
        record = context.records.read(stage.name)
    except UnreadableRecordError:
        return None, "its record is not readable"
    if record is None:
        return None, "not done yet"
    if force:
        return record, "forced"
    return record, difference(record.parts, parts) or missing_output(stage, context, record)
