from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from ontime_base.errors import OntimeError
from pipelines.runtime import runner
from pipelines.runtime.console import Console
from pipelines.runtime.context import RunContext, StageOutcome
from pipelines.runtime.runner import run_stage
from pipelines.runtime.settings_reads import UndeclaredSettingError
from pipelines.settings import load_settings
from pipelines.stages import Parameter, Stage

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.stages import Value

UPSTREAM = Stage(name="upstream", title="nothing to rows", module="upstream")
STAGE = Stage(
    name="made_up",
    title="rows to a figure",
    module="made_up",
    reads=("upstream.rows",),
    settings=("features",),
    parameters=(Parameter(name="by", kind=str, help="who", default="pipeline"),),
)


class Work:
    """Stands for the code of the stages: counts its calls, and fails on request."""

    def __init__(self) -> None:
        self.rows = 3
        self.calls: list[str] = []
        self.fails = False

    def upstream(self, _: RunContext) -> StageOutcome:
        self.calls.append("upstream")
        return StageOutcome({"rows": self.rows, "seconds": len(self.calls)})

    def made_up(self, _: RunContext, *, by: Value | None) -> StageOutcome:
        self.calls.append(f"made_up by {by}")
        if self.fails:
            raise OntimeError("The rows are not whole: bring others.")
        return StageOutcome({"figure": 7}, ("one note",))


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    work = Work()
    monkeypatch.setattr(runner, "stage_function", lambda stage: getattr(work, stage.name))
    monkeypatch.setattr("pipelines.runtime.fingerprint.code_of", lambda _: {"made_up.py": "1" * 64})
    return work


def context_in(home: Path, **features: int) -> RunContext:
    settings = load_settings("dev")
    changed = settings.features.model_copy(update=features)
    settings = settings.model_copy(update={"home": home, "features": changed})
    return RunContext(settings, Console(io.StringIO()))


def output_of(context: RunContext) -> str:
    stream = context.console.stream
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


def test_a_stage_runs_once_and_is_then_skipped_with_its_outputs(work: Work, tmp_path: Path) -> None:
    # Given a stage that has run
    context = context_in(tmp_path)
    run_stage(UPSTREAM, context)
    first = run_stage(STAGE, context)
    # When it is run again with nothing changed
    second = run_stage(STAGE, context)
    # Then it is skipped, and its outputs are returned
    assert (first.skipped, second.skipped) == (False, True)
    assert second.outputs == first.outputs == {"figure": 7}
    assert work.calls == ["upstream", "made_up by pipeline"]
    assert "made_up: rows to a figure (not done yet)" in output_of(context)
    assert "made_up: skipped, nothing changed since" in output_of(context)


def test_an_upstream_output_that_decides_the_result_makes_it_run_again(
    work: Work, tmp_path: Path
) -> None:
    context = context_in(tmp_path)
    run_stage(UPSTREAM, context)
    run_stage(STAGE, context)
    work.rows = 4
    run_stage(UPSTREAM, context, force=True)
    assert not run_stage(STAGE, context).skipped
    assert "upstream's rows is 4, was 3" in output_of(context)


def test_an_unread_upstream_output_does_not_rerun_a_stage(work: Work, tmp_path: Path) -> None:
    context = context_in(tmp_path)
    run_stage(UPSTREAM, context)
    run_stage(STAGE, context)
    run_stage(UPSTREAM, context, force=True)
    assert run_stage(STAGE, context).skipped
    assert work.calls.count("upstream") == 2


@pytest.mark.usefixtures("work")
def test_a_changed_setting_makes_it_run_again_and_is_named(tmp_path: Path) -> None:
    run_stage(UPSTREAM, context_in(tmp_path))
    run_stage(STAGE, context_in(tmp_path))
    context = context_in(tmp_path, horizon_min=30)
    assert not run_stage(STAGE, context).skipped
    assert "(features.horizon_min is 30, was 120)" in output_of(context)


@pytest.mark.usefixtures("work")
def test_changed_code_makes_it_run_again_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = context_in(tmp_path)
    run_stage(UPSTREAM, context)
    run_stage(STAGE, context)
    monkeypatch.setattr("pipelines.runtime.fingerprint.code_of", lambda _: {"made_up.py": "2" * 64})
    assert not run_stage(STAGE, context).skipped
    assert "(made_up.py changed)" in output_of(context)


def test_a_stage_that_fails_counts_as_not_done_even_if_it_was_before(
    work: Work, tmp_path: Path
) -> None:
    # Given a stage that succeeded
    context = context_in(tmp_path)
    run_stage(UPSTREAM, context)
    run_stage(STAGE, context)
    # When it fails after a change of the configuration, which is then taken back
    work.fails = True
    with pytest.raises(OntimeError):
        run_stage(STAGE, context_in(tmp_path, horizon_min=30))
    work.fails = False
    # Then it runs again: what the failed attempt left does not match the old record
    assert not run_stage(STAGE, context).skipped


@pytest.mark.usefixtures("work")
def test_a_damaged_record_counts_as_not_done_and_is_reported(tmp_path: Path) -> None:
    context = context_in(tmp_path)
    run_stage(UPSTREAM, context)
    run_stage(STAGE, context)
    (tmp_path / "stages" / "made_up.json").write_text('{"fingerprint": "')
    assert not run_stage(STAGE, context).skipped
    assert "(its record is not readable)" in output_of(context)


@pytest.mark.usefixtures("work")
def test_a_stage_whose_output_is_missing_runs_again_and_reports_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = context_in(tmp_path)
    run_stage(UPSTREAM, context)
    run_stage(STAGE, context)
    monkeypatch.setattr(runner, "missing_output", lambda *_: "the figure is gone")
    assert not run_stage(STAGE, context).skipped
    assert "(the figure is gone)" in output_of(context)


def test_a_forced_stage_runs_with_its_arguments(work: Work, tmp_path: Path) -> None:
    context = context_in(tmp_path)
    run_stage(UPSTREAM, context)
    run_stage(STAGE, context)
    run_stage(STAGE, context, force=True, arguments={"by": "Ada"})
    assert work.calls[-1] == "made_up by Ada"


@pytest.mark.usefixtures("work")
def test_outputs_of_other_arguments_do_not_skip_a_plain_run(tmp_path: Path) -> None:
    context = context_in(tmp_path)
    run_stage(UPSTREAM, context)
    run_stage(STAGE, context, arguments={"by": "Ada"})
    assert not run_stage(STAGE, context).skipped


@pytest.mark.usefixtures("work")
def test_a_stage_before_its_upstream_names_the_command_to_run(tmp_path: Path) -> None:
    with pytest.raises(OntimeError, match=r"run `ontime upstream` first"):
        run_stage(STAGE, context_in(tmp_path))


@pytest.mark.usefixtures("work")
def test_another_place_for_the_result_makes_it_run_again(tmp_path: Path) -> None:
    # Given a stage whose result is stored in the artifact store
    stage = replace(STAGE, places=("serving.store_uri",))
    run_stage(UPSTREAM, context_in(tmp_path))
    run_stage(stage, context_in(tmp_path))
    # When the store is another one
    context = context_in(tmp_path)
    address = "s3://user:secret@bucket/x"  # pragma: allowlist secret
    serving = msgspec.structs.replace(context.settings.serving, store_uri=address)
    settings = context.settings.model_copy(update={"serving": serving})
    moved = RunContext(settings, context.console)
    # Then it runs again, and the address is in neither the log nor the record
    assert not run_stage(stage, moved).skipped
    assert "(serving.store_uri changed)" in output_of(moved)
    assert "secret" not in (tmp_path / "stages" / "made_up.json").read_text()


@pytest.mark.parametrize("strict", [True, False])
def test_a_setting_that_is_read_and_not_declared_fails_if_strict_and_is_a_warning_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, strict: bool
) -> None:
    # Given a stage that reads how long predictions are retained, which it does not declare
    def run(context: RunContext) -> StageOutcome:
        return StageOutcome({"days": context.settings.serving.stores.retention_days})

    stage = Stage(name="made_up", title="nothing", module="made_up")
    monkeypatch.setattr(runner, "stage_function", lambda _: run)
    monkeypatch.setattr("pipelines.runtime.fingerprint.code_of", lambda _: {})
    context = context_in(tmp_path)
    message = "stage made_up reads serving.stores.retention_days, which its declaration"
    # When it is run / Then
    if strict:
        with pytest.raises(UndeclaredSettingError, match=message):
            run_stage(stage, context, strict=True)
        assert context.records.read("made_up") is None
    else:
        assert not run_stage(stage, context).skipped
        assert f"warning: {message}" in output_of(context)
