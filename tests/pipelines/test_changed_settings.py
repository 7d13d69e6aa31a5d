"""Settings changed one by one on 26 real days: each reaches contract, lineage, release and answer.

Without Spark: the feature table of a context is computed in this process.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from features.catalog import FEATURES
from features.declare import columns as c
from features.offline.feature_table import features_table
from pipelines import evaluate, register, train
from pipelines.release.packaging import publish_version
from pipelines.release.promotion import promote
from pipelines.runtime.context import RunContext
from pipelines.runtime.stage_records import StageRecord
from pipelines.settings import PipelineSettings, load_settings
from serving.models.model_loader import load_model
from serving.models.release_document import ReleasedVersion, read_release
from serving.online.network import write_network
from serving.stores.online.sqlite import SqliteOnlineStore
from tests.features.real_weeks import real_weeks
from tests.pipelines.real_parts import TRAINING
from tests.serving.support import NETWORK, a_service, body_of
from training.data.split import part_of
from training.tracking import lineage
from training.tracking.lineage import TableLineage
from training.tracking.run_files import LINEAGE_FILE, read_file
from training.tracking.run_log import load_models

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

    from serving.models.model_loader import LoadedModel
    from training.data.parts import Part
    from training.data.samples import Sample
    from training.tracking.lineage import Lineage


pytestmark = pytest.mark.slow


@cache
def gold(horizon_min: int, late_from_min: int) -> pa.Table:
    world = real_weeks()
    wanted = np.ones(world.flights.num_rows, dtype=np.bool_)
    return features_table(
        world.flights,
        world.weather,
        wanted,
        horizon_min=horizon_min,
        late_from_min=late_from_min,
    )


def gold_of(context: RunContext) -> pa.Table:
    features = context.settings.features
    return gold(features.horizon_min, features.late_from_min)


def read_part(context: RunContext, part: Part) -> Sample:
    return part_of(gold_of(context), part, FEATURES, context.settings.training.split)


def table_lineage(context: RunContext) -> TableLineage:
    return TableLineage(context.settings.features.table, "file:///gold", 0, "d" * 64, 20_000)


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the stages read the feature table of this process."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(train, "read_part", read_part)
    monkeypatch.setattr(evaluate, "read_part", read_part)
    monkeypatch.setattr(train, "table_lineage", table_lineage)
    monkeypatch.setattr(train, "silver_lineage", lambda _: ())
    monkeypatch.setattr(train, "sources_of", lambda _: ())


def released(home: Path, empty_store: Path, changes: Mapping[str, Any]) -> RunContext:
    """Train, evaluate, register, publish and promote with changed settings."""
    home.mkdir(exist_ok=True)
    shutil.copy(empty_store, home / "mlflow.db")
    online = SqliteOnlineStore(home / "serving.db")
    write_network(online, NETWORK)
    online.close()
    base = load_settings("dev").model_copy(update={"home": home, "training": TRAINING})
    data = base.model_dump(mode="json")
    for key, value in changes.items():
        *sections, name = key.split(".")
        place = data
        for section in sections:
            place = place[section]
        place[name] = value
    context = RunContext(PipelineSettings.model_validate(data))
    table = context.settings.features.table
    record(context, "build_features", table=table, version=0, gold_hash="d" * 64, rows=1)
    for name, stage in (("train", train), ("evaluate", evaluate), ("register", register)):
        record(context, name, **stage.run(context).outputs)
    version = str(context.outputs("register")["version"])
    manifest, _ = publish_version(context, version)
    promote(context, ReleasedVersion(version, manifest), by="pipeline", reason="gates passed")
    return context


def record(context: RunContext, stage: str, **outputs: Any) -> None:
    context.records.write(stage, StageRecord("f" * 64, {}, outputs, 1.0, "just now"))


def champion_of(context: RunContext) -> LoadedModel:
    release = read_release(context.artifacts)
    assert release is not None
    champion = release.document.champion
    assert champion is not None
    name = context.settings.serving.model_name
    return load_model(context.artifacts, model_name=name, version=champion.version)


def answer_of(context: RunContext) -> dict[str, Any]:
    service = a_service(context.settings.home, context.settings.serving)
    found: dict[str, Any] = json.loads(service.predict(body_of(), explain=True).answer)
    assert found["late"] is (found["probability"] >= found["threshold"])
    assert found["explanation"]["reasons"]
    return found


def lineage_of(context: RunContext) -> Lineage:
    run_id = str(context.outputs("train")["run_id"])
    return lineage.from_json(read_file(context.tracking.client, run_id, LINEAGE_FILE))


@pytest.mark.usefixtures("stages")
@pytest.mark.parametrize(
    ("kind", "parameters"), [("lightgbm", {"iterations": 30}), ("logistic_regression", {})]
)
def test_another_kind_of_model_is_trained_released_and_answers(
    tmp_path: Path, empty_store: Path, kind: str, parameters: dict[str, int]
) -> None:
    # When the kind is changed, and nothing else
    model = {"kind": kind, kind: parameters}
    context = released(tmp_path / "home", empty_store, {"training.model": model})
    # Then the run has a model of that kind that passed the gates of every model
    run_id = str(context.outputs("train")["run_id"])
    assert load_models(context.tracking, run_id)[0].kind.name == kind
    assert context.outputs("evaluate")["passed"] is True
    assert set(lineage_of(context).settings["training"]["model"]) == {"kind", kind}
    # And its package answers
    assert answer_of(context)["threshold"] == champion_of(context).contract.operating_threshold


@pytest.mark.usefixtures("stages")
def test_label_horizon_split_and_criterion_reach_the_answer(
    tmp_path: Path, empty_store: Path
) -> None:
    # When all of them are changed together
    later = TRAINING.split.validate_from + dt.timedelta(days=1)
    changes = {
        "features.late_from_min": 45,
        "features.horizon_min": 60,
        "training.split.validate_from": later.isoformat(),
        "training.threshold": {"criterion": "alert_rate", "alert_rate": 0.5},
    }
    context = released(tmp_path / "home", empty_store, changes)
    # Then the contract has label, horizon and threshold, and the service answers by it
    contract = champion_of(context).contract
    assert (contract.label, contract.horizon_min) == ("arrival delay >= 45 min", 60)
    assert answer_of(context)["threshold"] == contract.operating_threshold
    # And the lineage has the table of that label, and the longer train part
    found = lineage_of(context)
    assert found.table.name == "gold_features_h60_late45"
    assert found.settings["features"]["late_from_min"] == 45
    train_days = (later - TRAINING.split.train_from).days
    assert len(set(read_part(context, "train").days.tolist())) == pytest.approx(train_days, abs=1)
    assert found.flights["train"] == len(read_part(context, "train"))
    # And half of the validate part is called late, of which fewer are labelled so
    validate = read_part(context, "validate")
    model = load_models(context.tracking, str(context.outputs("train")["run_id"]))[0]
    alerts = model.probabilities(validate.features) >= contract.operating_threshold
    assert alerts.mean() == pytest.approx(0.5, abs=0.02)
    shares = [np.nanmean(gold(60, late)[c.LABEL].to_numpy()) for late in (15, 45)]
    assert shares[1] < shares[0]
