"""One bad message never takes others with it."""

from __future__ import annotations

import http.client
import json
import sqlite3
import zlib
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from pipelines.proofs.hostile.running import FLIGHT, require, wait_until
from serving.history.record_lines import encode_record, to_line
from serving.lambdas.events_handler import EventsAdapter
from serving.lambdas.jobs_handler import JobsAdapter
from serving.lambdas.records_handler import RecordsAdapter
from serving.schema.clock import now_ms
from serving.service.prediction_service import open_service
from serving.settings import AccessSettings, ServingSettings, StoreSettings
from serving.stores.history.protocol import PredictionRecord
from serving.stores.history.sqlite import SqlitePredictionHistory
from serving.stores.opening import open_queue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.proofs.hostile.running import RunningService
    from pipelines.proofs.hostile.world import World

_DEPARTED: Final[dict[str, Any]] = {
    "event": "flight_departed",
    "flight_id": "UA-642-2013123115",
    "at": "2013-12-31T15:41:00Z",
}
OPEN: Final = ServingSettings(access=AccessSettings(required=False))
_IMPOSSIBLE_DAYS: Final = ("UA-642-2013133115", "UA-642-2013023015", "UA-642-2013123124")


def an_invalid_flight_does_not_fail_its_batch(world: World) -> None:
    """A batch with one invalid flight has a prediction for each of the others."""
    flights = [dict(FLIGHT), {**FLIGHT, "flight_number": -1}, {**FLIGHT, "flight_number": 7}]
    answer = world.service.post("/model/predict/batch", {"flights": flights})
    require(answer.status == http.client.OK, str(answer))
    made = [item["prediction"] is not None for item in answer.json()["items"]]
    require(made == [True, False, True], f"predictions were made for {made}")


def a_flight_id_of_an_impossible_day_is_refused_when_it_arrives(world: World) -> None:
    """An event whose flight id names month 13, 30 February or hour 24 is answered 422."""
    for flight_id in _IMPOSSIBLE_DAYS:
        answer = world.service.post("/events", {"events": [{**_DEPARTED, "flight_id": flight_id}]})
        require(answer.status == http.client.UNPROCESSABLE_ENTITY, f"{flight_id}: {answer}")


def good_events_are_applied_beside_bad_ones(world: World) -> None:
    """Events that cannot be applied become dead letters; those sent with them are applied."""
    unknown = {"event": "weather_observed", "airport": "SFO", "observed_at": "2013-12-31T12:00Z"}
    before = _applied(world.service)
    sent = [_DEPARTED, unknown, {**_DEPARTED, "flight_id": "UA-643-2013123115"}]
    answer = world.service.post("/events", {"events": sent})
    require(answer.status == http.client.ACCEPTED, str(answer))
    wait_until(lambda: _applied(world.service) >= before + 2, "the good events were not applied")


def bad_messages_in_the_queue_do_not_keep_the_good_ones(world: World) -> None:
    """Messages that an earlier version accepted, or that are none, leave their neighbours alone."""
    with world.own_service() as service:
        impossible = {**_DEPARTED, "flight_id": "UA-642-2013133115"}
        bodies = ["nonsense", _queued(impossible), _queued(_DEPARTED), "[" * 5_000]
        open_queue(StoreSettings(), service.home, "events").send(bodies)
        wait_until(lambda: _applied(service) >= 1, "the good event was not applied")
        dead = open_queue(StoreSettings(), service.home, "events").dead_letters()
        wait_until(lambda: dead.depth() == len(bodies) - 1, f"{dead.depth()} are dead letters")


def a_function_behind_the_event_queue_reports_only_what_failed(world: World) -> None:
    """A batch of SQS with an event of month 13 and one that is no message is applied otherwise."""
    service = open_service(OPEN, world.new_home())
    service.refresh()
    bodies = [_queued({**_DEPARTED, "flight_id": "UA-642-2013133115"}), "[", _queued(_DEPARTED)]
    answer = EventsAdapter(service)(_batch(bodies), None)
    require(answer == {"batchItemFailures": []}, f"it answered {answer}")
    counted = 'ontime_events_total{state="applied"} 1.0'
    require(counted in service.metrics_text().decode(), "the good event was not applied")


def a_function_behind_the_job_queue_reports_only_what_failed(world: World) -> None:
    """A job that nobody knows, and one whose stored request is damaged, leave the others alone."""
    home = world.new_home()
    service = open_service(OPEN, home)
    service.refresh()
    good, bad = (service.jobs.submit(json.dumps(FLIGHT).encode()).id for _ in range(2))
    with closing(sqlite3.connect(home / "work.db")) as connection:
        connection.execute("UPDATE jobs SET request = 7 WHERE job_id = ?", (bad,))
        connection.commit()
    answer = JobsAdapter(service)(_batch(["nobody", bad, good]), None)
    require(answer == _failures("1"), f"it answered {answer}")
    require(service.jobs.find(good).state == "done", "the good job is not done")


def a_function_behind_the_record_queue_reports_only_what_failed(world: World) -> None:
    """A message that is no prediction is reported; the predictions around it are stored."""
    history = SqlitePredictionHistory(world.new_home() / "serving.db")
    records = [PredictionRecord(number, f"hostile-{number}", "f", b"{}") for number in range(2)]
    first, last = (encode_record(record).decode() for record in records)
    answer = RecordsAdapter(history)(_batch([first, "[1, 2]", "\ud800", last]), None)
    stored = [history.get(record.prediction_id) for record in records]
    history.close()
    require(answer == _failures("1", "2"), f"it answered {answer}")
    require(stored == records, "the predictions around it are not in the history")


def a_damaged_line_of_the_spool_does_not_keep_the_others(world: World) -> None:
    """A line that is no record, though its checksum is right, is set aside; the rest is stored."""
    home = world.new_home()
    record = PredictionRecord(1, "hostile-spooled", "f", b"{}")
    nonsense = b"%08x %b\n" % (zlib.crc32(b"[1]"), b"[1]")
    (home / "spool").mkdir()
    (home / "spool" / "00000000000000000001-hostile.spool").write_bytes(nonsense + to_line(record))
    with world.own_service(home=home):
        history = SqlitePredictionHistory(home / "serving.db")
        wait_until(lambda: history.get(record.prediction_id), "the record was not stored")
        history.close()
    require(list((home / "spool").glob("*.damaged")), "the damaged line was not set aside")


def _queued(event: dict[str, Any]) -> str:
    """Return a message as it is in the queue."""
    return json.dumps({"received_at": now_ms(), "events": [event]})


def _batch(bodies: Sequence[str]) -> dict[str, Any]:
    """Return messages as SQS hands them to a function."""
    return {"Records": [{"messageId": str(n), "body": body} for n, body in enumerate(bodies)]}


def _failures(*ids: str) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": each} for each in ids]}


def _applied(service: RunningService) -> float:
    return service.metric("ontime_events_total", state="applied")
