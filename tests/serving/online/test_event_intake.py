"""Events by HTTP, by a queue, by a function: accepted, applied, or among the dead letters."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest

from features.catalog import FEATURES
from features.online.flight_events import decode_events
from serving.docs.openapi_examples import EVENTS, EXAMPLE_REQUEST
from serving.lambdas.events_handler import EventsAdapter
from serving.online.event_intake import DeadLetter, EventRefusedError, to_event
from serving.online.event_messages import FlightDeparted
from serving.schema.clock import now_ms
from serving.schema.problems import InvalidRequestError, MalformedBodyError
from serving.stores.database import connect
from serving.stores.online.sqlite import SqliteOnlineStore
from serving.stores.opening import open_queue
from tests.serving.support import NETWORK, OPEN, a_home, a_service, running_server, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from serving.service.prediction_service import PredictionService

FLIGHT = "UA-389-2013123023"
DEPARTED = {"event": "flight_departed", "flight_id": FLIGHT, "at": "2013-12-30T23:52:00Z"}
OPTIONS = msgspec.structs.replace(OPEN, allow_as_of=True)


def body_of(*events: object) -> bytes:
    return json.dumps({"events": events}).encode()


def dead_letters(service_home: Path) -> list[DeadLetter]:
    queue = open_queue(OPTIONS.stores, service_home, "events").dead_letters()
    return [msgspec.json.decode(m.body, type=DeadLetter) for m in queue.receive()]


def delays(service: PredictionService) -> object:
    """Return the delay of departures in the last hour, as a later flight is payload it."""
    request = {**EXAMPLE_REQUEST, "scheduled_departure": "2013-12-30T21:30", "flight_number": 5,
               "scheduled_arrival": "2013-12-31T01:30", "as_of": "2013-12-31T00:30Z"}  # fmt: skip
    record = service.predict(json.dumps(request).encode()).record
    entry = msgspec.json.decode(record.body)
    names = [feature.name for feature in FEATURES]
    return entry["features"][names.index("departure_delay_origin_1h")]


def test_events_sent_over_http_are_in_the_next_features(tmp_path: Path) -> None:
    # Given a running service without any departures
    service = a_service(a_home(tmp_path), OPTIONS)
    with running_server(service) as url, httpx.Client(base_url=url) as client:
        # When it is payload of a flight that left 22 minutes late, in the wrong order and twice
        answers = [
            client.post("/events", json={"events": [event]})
            for event in (DEPARTED, EVENTS[0], DEPARTED)
        ]
        # Then each is accepted, and soon the delay is in the features of a later flight
        assert {answer.status_code for answer in answers} == {202}
        assert answers[0].json() == {"accepted": 1}
        wait_until(lambda: delays(service) == 22.0)
    assert not dead_letters(tmp_path)


def test_the_examples_are_applied(tmp_path: Path) -> None:
    # Given the events of the documentation / When they are accepted and worked on
    service = a_service(a_home(tmp_path), OPTIONS)
    assert service.events.submit(body_of(*EVENTS)).accepted == len(EVENTS)
    assert service.events.process_messages(wait_seconds=0) == 1
    # Then all of them are in the state, and the queue is empty
    assert service.events.process_messages(wait_seconds=0) == 0
    assert delays(service) == 22.0
    assert not dead_letters(tmp_path)
    assert 'events_total{state="applied"} 4' in service.metrics_text().decode()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"origin": "XXX"}, "origin: 'XXX' is not one of"),
        ({"scheduled_departure": "2013-12-30T25:30"}, "scheduled_departure: "),
        ({"reported_at": "2313-01-01T00:00Z"}, "reported_at: "),
        ({"reported_at": "2099-01-01T00:00Z"}, "in the future"),
        ({"reported_at": "2013-01-01T00:00"}, "has no offset"),
    ],
)
def test_an_event_that_cannot_be_is_a_dead_letter_with_its_reason(
    tmp_path: Path, change: dict[str, str], reason: str
) -> None:
    # Given an event that is well-formed and cannot be, between two that can
    service = a_service(a_home(tmp_path), OPTIONS)
    wrong = {**EVENTS[0], **change}
    service.events.submit(body_of(EVENTS[0], wrong, DEPARTED))
    # When it is worked on
    service.events.process_messages(wait_seconds=0)
    # Then the others are applied, and it is stored unchanged with the reason
    assert delays(service) == 22.0
    (dead,) = dead_letters(tmp_path)
    assert reason in dead.reason
    stored = msgspec.json.decode(dead.event)
    assert {key: value for key, value in stored.items() if value is not None} == wrong


def test_other_events_that_cannot_be(tmp_path: Path) -> None:
    # Given weather where no flight leaves from, and a departure of tomorrow
    weather = {"event": "weather_observed", "airport": "SFO", "observed_at": "2013-12-30T20:00Z"}
    ahead = {**DEPARTED, "at": "2099-12-30T20:00Z"}
    service = a_service(a_home(tmp_path), OPTIONS)
    # When they are worked on / Then both are dead letters, and so is a message that is none
    service.events.submit(body_of(weather, ahead))
    open_queue(OPTIONS.stores, tmp_path, "events").send(["nonsense"])
    assert service.events.process_messages(wait_seconds=0) == 2
    reasons = " ".join(dead.reason for dead in dead_letters(tmp_path))
    assert "The weather at SFO is in no feature" in reasons
    assert "which is in the future" in reasons
    assert "not a message" in reasons


def test_every_invalid_field_of_every_event_is_named(tmp_path: Path) -> None:
    # Given a request with several faults, Then each is named in words, and with what to send
    service = a_service(a_home(tmp_path), OPTIONS)
    weather = {"event": "weather_observed", "airport": "jfk", "humidity_pct": "wet", "when": 1}
    body = body_of({**DEPARTED, "at": 5}, 7, {"event": "flight_departd"}, weather)
    with pytest.raises(InvalidRequestError) as refused:
        service.events.submit(body)
    found = {each.field: each.problem for each in refused.value.errors}
    assert found == {
        "events[0].at": "5 is not a date and time as in ISO 8601.",
        "events[1]": "7 is not an object.",
        "events[2].event": "'flight_departd' is not a kind of event.",
        "events[3].airport": "'jfk' is not an airport code of three capital letters or digits.",
        "events[3].observed_at": "It is missing.",
        "events[3].humidity_pct": "The text 'wet' is not a number from 0 to 110.",
        "events[3].when": "There is no such field.",
    }
    assert all(each.fix for each in refused.value.errors)
    # And a field that is given twice is refused by its name
    twice = body_of(DEPARTED).replace(b'"at":', b'"at": "2013-12-31T15:00Z", "at":')
    with pytest.raises(InvalidRequestError, match="at: It is given twice"):
        service.events.submit(twice)
    # And of many faults the first are named
    many = body_of(*[{**DEPARTED, f"x{number}": 1} for number in range(400)])
    with pytest.raises(InvalidRequestError) as refused:
        service.events.submit(many)
    assert len(refused.value.errors) == 21


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"events": []}', "events"),
        (b'{"events": [{"event": "flight_exploded"}]}', "events[0].event"),
        (body_of(DEPARTED, {**DEPARTED, "at": "noon"}), "events[1].at"),
        (body_of({**DEPARTED, "flight_id": "UA-389"}), "events[0].flight_id"),
        (body_of({**DEPARTED, "extra": 1}), "events[0].extra"),
        (body_of(*[DEPARTED] * 501), "events"),
        (b"[]", "body"),
    ],
)
def test_an_invalid_request_is_refused_with_its_field(
    tmp_path: Path, body: bytes, field: str
) -> None:
    # Given a request that is not valid / When it is sent / Then nothing of it is accepted
    service = a_service(a_home(tmp_path), OPTIONS)
    with pytest.raises(InvalidRequestError) as refused:
        service.events.submit(body)
    assert refused.value.errors[0].field == field
    assert service.events.process_messages(wait_seconds=0) == 0


def test_invalid_json_is_malformed(tmp_path: Path) -> None:
    with pytest.raises(MalformedBodyError):
        a_service(a_home(tmp_path), OPTIONS).events.submit(b"{")


def test_a_function_names_the_messages_to_redeliver(tmp_path: Path) -> None:
    # Given the function behind the queue, and a batch of two messages
    service = a_service(a_home(tmp_path), OPTIONS)
    service.events.submit(body_of(*EVENTS))
    messages = open_queue(OPTIONS.stores, tmp_path, "events").receive()
    batch = {"Records": [{"messageId": "m1", "body": messages[0].body}]}
    # When its store works / Then no message must come again, and the events are in
    assert EventsAdapter(service)(batch, None) == {"batchItemFailures": []}
    assert delays(service) == 22.0
    # When an item of the store was written by other code / Then all must
    database = connect(tmp_path / "serving.db", "")
    changed = database.execute("UPDATE online_items SET body = x'00' WHERE key LIKE 'all@%'")
    assert changed.rowcount >= 1
    database.close()
    failed = EventsAdapter(service)(batch, None)
    assert failed == {"batchItemFailures": [{"itemIdentifier": "m1"}]}


@pytest.mark.parametrize("hour", ["2013133023", "2013023015", "2013123024", "0000010100"])
def test_a_flight_id_of_no_hour_is_refused_when_it_arrives(tmp_path: Path, hour: str) -> None:
    # Given events of which one names a day or hour that does not exist
    service = a_service(a_home(tmp_path), OPTIONS)
    wrong = {**DEPARTED, "flight_id": f"UA-389-{hour}"}
    # When they arrive / Then the field is named, and nothing is accepted
    with pytest.raises(InvalidRequestError) as refused:
        service.events.submit(body_of(EVENTS[0], wrong))
    assert [each.field for each in refused.value.errors] == ["events[1].flight_id"]
    assert service.events.process_messages(wait_seconds=0) == 0


def queued(*events: dict[str, Any], at: int | None = None) -> str:
    """Return a message as it is in the queue, whatever its events are."""
    received = now_ms() if at is None else at
    return json.dumps({"received_at": received, "events": events})


def test_bad_messages_in_the_queue_do_not_fail_the_good_ones(tmp_path: Path) -> None:
    # Given messages of an earlier version, with events that cannot be read, beside good ones
    service = a_service(a_home(tmp_path), OPTIONS)
    bad = [
        queued({**DEPARTED, "flight_id": "UA-389-2013133023"}),
        queued({**DEPARTED, "flight_id": "UA-389-9999999999"}),
        queued({**DEPARTED, "at": "2013-12-30T23:52:61Z"}),
        "[" * 5_000,
        "",
    ]
    sent = [bad[0], queued(EVENTS[0], DEPARTED), *bad[1:]]
    open_queue(OPTIONS.stores, tmp_path, "events").send(sent)
    # When they are worked on, once / Then the good ones are applied, and none comes again
    assert service.events.process_messages(wait_seconds=0) == len(sent)
    assert delays(service) == 22.0
    assert service.events.process_messages(wait_seconds=0) == 0
    assert len(dead_letters(tmp_path)) == len(bad)


def test_a_message_whose_item_is_damaged_is_redelivered_alone(tmp_path: Path) -> None:
    # Given a flight whose events cannot be read any more, and events of it and of another
    service = a_service(a_home(tmp_path), OPTIONS)
    other = {**DEPARTED, "flight_id": "UA-7-2013123023"}
    for event in (DEPARTED, other):
        service.events.apply([queued(event)])
    database = connect(tmp_path / "serving.db", "")
    database.execute("UPDATE online_items SET body = x'c1' WHERE key = ?", (f"flight:{FLIGHT}",))
    database.close()
    bodies = [queued(DEPARTED), queued(EVENTS[0]), queued({**other, "at": "2013-12-30T23:59Z"})]
    records = [{"messageId": f"m{n}", "body": body} for n, body in enumerate(bodies)]
    # When a function is given them / Then those of that flight are redelivered, the other applied
    answer = EventsAdapter(service)({"Records": records}, None)
    assert [each["itemIdentifier"] for each in answer["batchItemFailures"]] == ["m0", "m1"]
    stored = SqliteOnlineStore(tmp_path / "serving.db")
    events = decode_events(stored.get_many(["flight:UA-7-2013123023"]).popitem()[1])
    stored.close()
    assert len(events) == 2


FAR = {
    "weather": {"event": "weather_observed", "airport": "JFK", "observed_at": "2099-01-01T00:00Z"},
    "departure": {**DEPARTED, "at": "2099-01-01T00:00Z"},
    "departure today": {**DEPARTED, "at": "2026-01-01T00:00Z"},
    "arrival before": {"event": "flight_arrived", "flight_id": FLIGHT, "at": "2013-12-01T00:00Z"},
    "cancellation after": {
        "event": "flight_cancelled", "flight_id": FLIGHT, "at": "2014-03-01T00:00Z"
    },
    "diversion": {"event": "flight_diverted", "flight_id": FLIGHT, "at": "2014-03-01T00:00Z"},
    "schedule": {**EVENTS[0], "scheduled_departure": "2099-12-30T18:30",
                 "scheduled_arrival": "2099-12-30T22:21"},
}  # fmt: skip


@pytest.mark.parametrize("name", FAR)
def test_an_instant_far_from_now_or_from_its_flight_moves_no_clock(
    tmp_path: Path, name: str
) -> None:
    # Given an event with an instant that cannot be
    service = a_service(a_home(tmp_path), OPTIONS)
    service.events.submit(body_of(EVENTS[0]))
    service.events.submit(body_of(FAR[name]))
    while service.events.process_messages(wait_seconds=0):
        pass
    # When an event of another comes after it / Then it is applied, and the first is a dead letter
    service.events.submit(body_of(DEPARTED))
    service.events.process_messages(wait_seconds=0)
    assert delays(service) == 22.0
    assert len(dead_letters(tmp_path)) == 1


def test_the_weather_of_today_makes_no_flight_of_a_past_state_too_late(tmp_path: Path) -> None:
    # Given a state of 2013, and a report of the weather of this hour, which is right
    service = a_service(a_home(tmp_path), OPTIONS)
    service.events.apply([queued(EVENTS[0])])
    service.events.apply(
        [
            queued(
                {"event": "weather_observed", "airport": "JFK", "observed_at": "2013-12-30T20:00Z"}
            )
        ]
    )
    today = dt.datetime.now(tz=dt.UTC).isoformat(timespec="minutes")
    report = {"event": "weather_observed", "airport": "JFK", "observed_at": today}
    service.events.apply([queued(report)])
    # When an event of 2013 comes / Then it is applied
    assert service.events.apply([queued(DEPARTED)]).applied == 1
    assert delays(service) == 22.0


def test_an_invalid_time_is_refused() -> None:
    # Given an instant with the shape of one / When it is read / Then it is refused
    payload = msgspec.json.decode(body_of({**DEPARTED, "at": "2013-13-30T23:52:00Z"}))
    event = msgspec.convert(payload["events"][0], FlightDeparted)
    with pytest.raises(EventRefusedError, match="at: '2013-13-30T23:52:00Z' is not a date"):
        to_event(event, 0, NETWORK)
