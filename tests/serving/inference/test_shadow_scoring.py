"""A challenger at weight 0 scores every answered flight in the background."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from serving.inference.predictor import Predictor
from serving.inference.shadow_scoring import ShadowScorer
from serving.models.release_document import ReleasedVersion, read_release
from serving.models.release_follower import ReleaseFollower
from serving.stores.artifacts.local import FolderArtifactStore
from serving.stores.online.memory import MemoryOnlineStore
from serving.telemetry.metrics import Metrics
from tests.serving.support import (
    MODEL_NAME,
    NETWORK,
    SETTINGS,
    a_service,
    body_of,
    publish,
    release,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from serving.inference.predictor import Shadow
    from serving.stores.history.protocol import PredictionRecord


@pytest.fixture
def challenged(home: Path) -> Path:
    """A home whose champion has a challenger at 0 %."""
    store = FolderArtifactStore(home / "store")
    stored = read_release(store)
    assert stored is not None
    release(store, stored.document.champion, ReleasedVersion("2", publish(store, "2", 0.4)))
    return home


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def predictor(challenged: Path, metrics: Metrics) -> Predictor:
    follower = ReleaseFollower(FolderArtifactStore(challenged / "store"), MODEL_NAME)
    follower.refresh()
    return Predictor(
        split=follower.split, network=lambda: NETWORK, online=MemoryOnlineStore(), metrics=metrics
    )


def shadow_of(predictor: Predictor, number: int = 1) -> Shadow:
    shadow = predictor.predict(body_of(flight_number=number)).shadow
    assert shadow is not None
    return shadow


def test_at_weight_0_the_challenger_scores_in_the_shadow(challenged: Path) -> None:
    # Given a challenger at 0 %
    service = a_service(challenged, SETTINGS)
    # When a prediction is requested, Then the champion answers
    prediction = service.predict(body_of())
    answer = json.loads(prediction.answer)
    assert answer["model"]["version"] == "1"
    # And the prediction of the challenger is stored as its shadow
    assert prediction.shadow is not None
    service.shadows.start()
    service.shadows.submit([prediction.shadow])
    service.shadows.stop()
    (entry,) = json.loads(service.history_page({}))["items"]
    assert (entry["shadow_of"], entry["model"]["version"]) == (answer["prediction_id"], "2")
    assert entry["flight_id"] == answer["flight_id"]
    assert abs(entry["probability"] - 0.4) < 1e-4
    assert b'alias="challenger",role="shadow",version="2"} 1.0' in service.metrics_text()


def test_all_queued_shadows_are_scored_before_it_stops(
    predictor: Predictor, metrics: Metrics
) -> None:
    # Given more shadows than one batch takes
    records: list[PredictionRecord] = []
    scorer = ShadowScorer(predictor, records.extend, metrics)
    shadows = [shadow_of(predictor, number) for number in range(1, 251)]
    # When they are queued and the scorer is stopped
    scorer.start()
    scorer.submit(shadows)
    scorer.stop()
    # Then the record of each refers to the prediction that was answered
    found = [json.loads(record.body)["shadow_of"] for record in records]
    assert found == [shadow.prediction_id for shadow in shadows]


def test_a_shadow_that_fails_is_counted(predictor: Predictor, metrics: Metrics) -> None:
    def failing(_records: Sequence[PredictionRecord]) -> None:
        raise ValueError("no")

    # Given a history that fails
    scorer = ShadowScorer(predictor, failing, metrics)
    # When shadows are scored, Then they are counted as dropped and nothing is raised
    scorer.submit([shadow_of(predictor), shadow_of(predictor)])
    assert b"ontime_shadow_dropped_total 2" in metrics.text({})


def test_shadows_beyond_the_capacity_are_dropped_and_counted(
    predictor: Predictor, metrics: Metrics
) -> None:
    records: list[PredictionRecord] = []
    scorer = ShadowScorer(predictor, records.extend, metrics, max_queued=0)
    scorer.start()
    scorer.submit([shadow_of(predictor)])
    scorer.stop()
    assert b"ontime_shadow_dropped_total 1" in metrics.text({})
    assert records == []
