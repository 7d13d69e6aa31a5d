"""The use cases over the stores."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from serving.history.history_fallback import SpooledHistory
from serving.models.model_package import CARD
from serving.models.release_document import RELEASE_KEY
from serving.online.network import NETWORK_KEY
from serving.schema.problems import (
    InvalidRequestError,
    NotReadyError,
    ProblemError,
    UnknownModelError,
)
from serving.settings import ServingSettings, StoreSettings
from serving.stores.artifacts.local import FolderArtifactStore
from serving.stores.history.protocol import PredictionRecord
from serving.stores.online.sqlite import SqliteOnlineStore
from tests.serving.support import a_service, body_of, package_files, release_version

if TYPE_CHECKING:
    from pathlib import Path

    from serving.service.prediction_service import PredictionService


@pytest.fixture
def service(home: Path) -> PredictionService:
    return a_service(home, ServingSettings(history_page=2, history_page_max=5, load_any=True))


def history(service: PredictionService, **query: str) -> dict[str, Any]:
    page: dict[str, Any] = json.loads(service.history_page(query))
    return page


def keep(service: PredictionService, number: int) -> None:
    for at in range(number):
        body = json.dumps({"at": at}).encode()
        service.history.append([PredictionRecord(at, f"p{at}", f"f{at % 2}", body)])


def test_an_appended_prediction_is_in_the_history(service: PredictionService) -> None:
    prediction = service.predict(body_of())
    service.history.append([prediction.record])
    (entry,) = history(service)["items"]
    answer = json.loads(prediction.answer)
    assert {name: entry[name] for name in answer} == answer


def test_history_is_paged_newest_first(service: PredictionService) -> None:
    # Given five predictions and pages of two
    keep(service, 5)
    first = history(service)
    assert [item["at"] for item in first["items"]] == [4, 3]
    second = history(service, cursor=first["next"], limit="3")
    assert [item["at"] for item in second["items"]] == [2, 1, 0]
    assert second["next"] is None
    assert [item["at"] for item in history(service, flight_id="f1")["items"]] == [3, 1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "6"),
        ("limit", "-1"),
        ("limit", "x"),
        ("limit", ""),
        ("limit", "1" * 5000),
        ("limit", "²"),
        ("cursor", "x"),
        ("flight_id", ""),
        ("flight_id", "x" * 100),
    ],
)
def test_a_bad_parameter_is_named(service: PredictionService, name: str, value: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        service.history_page({name: value})
    assert caught.value.errors[0].field == name


def test_the_model_that_answers_is_described(service: PredictionService) -> None:
    model = json.loads(service.model())
    assert (model["version"], model["alias"], model["revision"]) == ("1", "champion", 1)
    assert model["horizon_min"] == 120
    assert model["features"][0] == "carrier"
    assert model["refusal"] is None


@pytest.mark.parametrize("alias", ["champion", "Production"])
def test_load_switches_and_goes_back(service: PredictionService, home: Path, alias: str) -> None:
    # Given a server with two versions, of which 2 is champion
    release_version(FolderArtifactStore(home / "store"), "2", 0.4)
    service.refresh()
    # When it is switched to version 1, Then it answers with it
    assert json.loads(service.load(b'{"version": "1"}'))["alias"] is None
    assert json.loads(service.predict(body_of()).answer)["model"]["version"] == "1"
    # Until it is switched to follow the champion, by either name
    service.load(json.dumps({"alias": alias}).encode())
    assert json.loads(service.predict(body_of()).answer)["model"]["version"] == "2"


def test_ready_needs_model_network_and_history(home: Path) -> None:
    service = a_service(home)
    assert json.loads(service.ready())["version"] == "1"
    assert json.loads(service.health()) == {"status": "ok"}


def test_without_a_release_it_is_alive_and_not_ready(tmp_path: Path) -> None:
    service = a_service(tmp_path)
    assert json.loads(service.health()) == {"status": "ok"}
    for call in (service.ready, service.model, lambda: service.predict(body_of())):
        with pytest.raises(NotReadyError, match="make run"):
            call()


def test_without_a_network_it_is_not_ready(tmp_path: Path) -> None:
    release_version(FolderArtifactStore(tmp_path / "store"), "1")
    service = a_service(tmp_path)
    with pytest.raises(NotReadyError, match=r"no airports yet: run `make run`"):
        service.predict(body_of())


def test_a_damaged_network_leaves_the_current_one(service: PredictionService, home: Path) -> None:
    online = SqliteOnlineStore(home / "serving.db")
    online.put_many({NETWORK_KEY: b"\xc1"})
    online.close()
    service.refresh()
    assert service.predict(body_of()).record.flight_id == "UA-642-2013123115"


def test_before_the_first_poll_it_requests_a_retry(home: Path) -> None:
    service = a_service(home)
    service._network = None
    with pytest.raises(NotReadyError, match="just started"):
        service.ready()


def test_a_history_that_fails_is_a_problem(home: Path) -> None:
    # Given a history whose file was closed under it, and no fallback
    service = a_service(home, ServingSettings(stores=StoreSettings(fallback="none")))
    service.history.close()
    with pytest.raises(ProblemError) as caught:
        service.ready()
    assert caught.value.status == 503
    assert str(home / "serving.db") in str(caught.value)


def test_with_a_spool_it_answers_though_its_history_fails(service: PredictionService) -> None:
    # Given a history that is down, Then it is ready, and its records wait in the spool
    assert isinstance(service.history, SpooledHistory)
    service.history._history.close()
    assert json.loads(service.ready())["version"] == "1"
    service.append_records([service.predict(body_of()).record])
    assert service.history.statistics().waiting == 1
    service.history.close()


def test_nothing_is_written_but_the_history(service: PredictionService, home: Path) -> None:
    # Given a service that answered, Then release document and packages are as they were
    before = FolderArtifactStore(home / "store").get(RELEASE_KEY)
    service.predict(body_of())
    service.load(b'{"version": "1"}')
    assert FolderArtifactStore(home / "store").get(RELEASE_KEY) == before


def test_history_is_paged_by_time(service: PredictionService) -> None:
    # Given predictions 0 to 4 milliseconds after the epoch
    keep(service, 5)
    since, until = "1970-01-01T00:00:00.001Z", "1970-01-01T01:00:00.003+01:00"
    first = history(service, since=since, until=until)
    assert [item["at"] for item in first["items"]] == [2, 1]
    assert [i["at"] for i in history(service, until=until, limit="1")["items"]] == [2]
    assert [i["at"] for i in history(service, since=until)["items"]] == [4, 3]


@pytest.mark.parametrize("value", ["", "yesterday", "2013-12-31T12:00", "1969-12-31T00:00Z", "9"])
def test_an_invalid_instant_is_refused(service: PredictionService, value: str) -> None:
    for name in ("since", "until"):
        with pytest.raises(InvalidRequestError) as caught:
            history(service, **{name: value})
        assert caught.value.errors[0].field == name


def test_the_card_is_that_of_the_package(service: PredictionService) -> None:
    card = package_files()[CARD]
    assert service.card(None) == service.card("champion") == service.card("Production") == card
    with pytest.raises(UnknownModelError, match="challenger"):
        service.card("challenger")
