"""Champion and challenger, split by weight."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from serving.models.model_loader import load_model
from serving.models.release_document import ReleasedVersion, read_release
from serving.models.traffic_split import (
    CHALLENGER,
    CHAMPION,
    ServedModel,
    TrafficSplit,
    hash_fraction,
)
from serving.stores.artifacts.local import FolderArtifactStore
from tests.serving.support import MODEL_NAME, SETTINGS, a_service, body_of, publish, release

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


IDS = [f"UA-{number}-20131231{hour:02d}" for number in range(500) for hour in range(10, 20)]


def versions(store: FolderArtifactStore) -> tuple[ReleasedVersion, ReleasedVersion]:
    release_one = read_release(store)
    assert release_one is not None
    assert release_one.document.champion is not None
    return release_one.document.champion, ReleasedVersion("2", publish(store, "2", 0.4))


def a_split(home: Path, weight: float) -> TrafficSplit:
    store = FolderArtifactStore(home / "store")
    versions(store)
    models = [load_model(store, model_name=MODEL_NAME, version=version) for version in "12"]
    return TrafficSplit(
        ServedModel(models[0], CHAMPION, 1), ServedModel(models[1], CHALLENGER, 1), weight
    )


def test_the_share_of_the_flights_is_the_weight(home: Path) -> None:
    split = a_split(home, 0.1)
    answered = [split.answering(flight_id).alias for flight_id in IDS]
    assert abs(answered.count(CHALLENGER) / len(IDS) - 0.1) < 0.015
    # And the ends are the ends
    assert all(
        TrafficSplit(split.primary, split.challenger, 0.0).answering(i) is split.primary
        for i in IDS
    )
    assert all(
        TrafficSplit(split.primary, split.challenger, 1.0).answering(i) is split.challenger
        for i in IDS
    )
    assert all(TrafficSplit(split.primary, None, 1.0).answering(i) is split.primary for i in IDS)


@given(flight_id=st.text(max_size=30), low=st.floats(0, 1), more=st.floats(0, 1))
def test_a_flight_stays_with_the_challenger_when_its_weight_is_raised(
    flight_id: str, low: float, more: float
) -> None:
    place = hash_fraction(flight_id)
    assert place == hash_fraction(flight_id)
    assert 0 <= place < 1
    assert not place < low or place < max(low, more)


def test_the_service_answers_by_weight_and_reports_it(home: Path) -> None:
    # Given a challenger at 40 %
    store = FolderArtifactStore(home / "store")
    champion, challenger = versions(store)
    release(store, champion, challenger, weight=0.4)
    service = a_service(home, SETTINGS)
    # When many flights are predicted, Then each is answered by the version that its id selects
    for number in range(1, 60):
        answer = json.loads(service.predict(body_of(flight_number=number)).answer)
        version = "2" if hash_fraction(answer["flight_id"]) < 0.4 else "1"
        assert answer["model"]["version"] == version
        assert answer["model"]["alias"] == ("challenger" if version == "2" else "champion")
    # And the description has both with their weights
    model = json.loads(service.model())
    assert (model["version"], model["weight"]) == ("1", 0.6)
    assert (model["challenger"]["version"], model["challenger"]["weight"]) == ("2", 0.4)
    # And so has what is counted
    text = service.metrics_text().decode()
    assert 'ontime_model_weight{alias="challenger",version="2"} 0.4' in text
    assert 'ontime_predictions_total{alias="champion",role="answer",version="1"}' in text


def test_a_broken_challenger_is_refused_and_the_champion_answers_for_it(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a challenger at 50 % whose model was cut short
    store = FolderArtifactStore(home / "store")
    champion, challenger = versions(store)
    path = home / "store/models/ontime/2/model.onnx"
    path.write_bytes(path.read_bytes()[:50])
    release(store, champion, challenger, weight=0.5)
    service = a_service(home, SETTINGS)
    # Then all flights are answered by the champion, and the alarm is up
    for number in range(1, 20):
        answer = json.loads(service.predict(body_of(flight_number=number)).answer)
        assert answer["model"]["version"] == "1"
    model = json.loads(service.model())
    assert model["weight"] == 1
    assert "2/model.onnx" in model["challenger"]["refusal"]
    text = service.metrics_text()
    assert b"ontime_release_refused 1" in text
    assert b"ontime_refused_artifacts_total 1" in text
    service.refresh()
    assert [r.getMessage() for r in caplog.records].count("model_refused") == 1
