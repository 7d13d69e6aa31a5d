"""Stage evaluate: the run is evaluated, the report is written, and a rerun leaves the same."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from pipelines import evaluate as stage
from pipelines import train
from pipelines.runtime.stage_records import StageRecord
from pipelines.stages import stage_named
from tests.pipelines.real_parts import TRAINING, context_at, real_part
from tests.pipelines.test_train import TABLE
from training.evaluate.quality_metrics import AUC
from training.registry.model_registry import Registry
from training.report.evaluation_report import read_report
from training.settings import TrainingSettings
from training.tracking.run_files import CARD_FILE, read_file

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.runtime.context import RunContext, StageOutcome


@pytest.fixture(scope="module")
def trained_home(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    """Return a home in which the model of 26 real days has been trained."""
    home = tmp_path_factory.mktemp("home")
    shutil.copy(empty_store, home / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setattr(train, "read_part", lambda _, part: real_part(part))
        patch.setattr(train, "table_lineage", lambda _: TABLE)
        patch.setattr(train, "silver_lineage", lambda _: ())
        patch.setattr(train, "sources_of", lambda _: ())
        outcome = train.run(context_at(home))
    record = StageRecord("f" * 64, {}, dict(outcome.outputs), 1.0, "just now")
    context_at(home).records.write("train", record)
    return home


@pytest.fixture
def context(trained_home: Path, monkeypatch: pytest.MonkeyPatch) -> RunContext:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(stage, "read_part", lambda _, part: real_part(part))
    return context_at(trained_home)


def run_id_of(context: RunContext) -> str:
    return str(context.outputs("train")["run_id"])


@pytest.fixture(scope="module")
def evaluated(trained_home: Path) -> StageOutcome:
    """Return the outcome of the stage for that model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setattr(stage, "read_part", lambda _, part: real_part(part))
        return stage.run(context_at(trained_home))


def test_it_judges_the_run_on_flights_the_model_has_not_seen(
    evaluated: StageOutcome, context: RunContext
) -> None:
    # Given a trained run, When the stage has judged it
    # Then it returns its declared outputs, and the run stores the same
    assert set(evaluated.outputs) == set(stage_named("evaluate").outputs)
    assert evaluated.outputs["passed"] is True
    report = read_report(context.tracking, run_id_of(context))
    assert report.evaluation.flights == len(real_part("test"))
    assert evaluated.outputs["figures"] == report.figures
    # And the exported model is the model, and better than the naive one, on real flights
    assert report.export.largest_difference < 1e-12
    assert report.evaluation.model[AUC].value > report.evaluation.naive[AUC].value
    # And the report is the card of the run
    page = context.settings.home / "reports" / "model_card.html"
    assert evaluated.outputs["report"] == str(page)
    assert page.read_bytes() == read_file(context.tracking.client, run_id_of(context), CARD_FILE)


@pytest.mark.usefixtures("evaluated")
def test_a_rerun_writes_the_same_except_durations(context: RunContext) -> None:
    # Given an evaluated run
    client, run_id = context.tracking.client, run_id_of(context)
    before = client.get_metric_history(run_id, "test_auc")
    first = read_report(context.tracking, run_id).evaluation
    # When it is evaluated again
    stage.run(context)
    # Then its evaluation is the same, and written once
    assert read_report(context.tracking, run_id).evaluation == first
    assert client.get_metric_history(run_id, "test_auc") == before
    assert client.get_run(run_id).info.status == "FINISHED"


def test_a_refusal_is_handed_back_with_its_reasons(context: RunContext) -> None:
    # Given a policy that the model does not meet
    data = TRAINING.model_dump()
    data["gates"] |= {"minimum_auc": 0.94, "maximum_export_megabytes": 0.001}
    strict = context_at(context.settings.home, TrainingSettings.model_validate(data))
    # When it is evaluated, Then every refusal has its reason, for the person and for the ledger
    outcome = stage.run(strict)
    assert outcome.outputs["passed"] is False
    reasons = outcome.outputs["reasons"]
    assert isinstance(reasons, list)
    assert [str(each).split()[0] for each in reasons] == ["AUC", "the"]
    assert "refused" in outcome.notes[0]
    assert list(outcome.notes[1:]) == reasons


def test_the_champion_is_compared_on_the_same_flights(context: RunContext) -> None:
    # Given the same model as champion
    registry = Registry(context.tracking.store, context.settings.serving.model_name)
    registry.point("champion", registry.register(run_id_of(context)).version)
    # When the run is evaluated again, Then it is no better than itself
    stage.run(context)
    champion = read_report(context.tracking, run_id_of(context)).champion
    assert champion is not None
    assert champion.advantage is not None
    assert (champion.version, round(champion.advantage.value, 9)) == ("1", 0)
