"""Events in any order, with repeats, make the items that the pipeline makes from silver."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.declare import columns as c
from features.online.event_resolution import event_of_observation, events_of_flight
from features.online.flight_events import (
    Departed,
    Event,
    Scheduled,
    subject_key,
)
from features.online.items_from_silver import flight_facts, online_items, weather_facts
from serving.online.online_state import (
    STATE_KEY,
    OnlineState,
    Watermark,
    fill_watermark,
    heal_watermark,
    read_watermark,
)
from serving.stores.online.sqlite import SqliteOnlineStore
from tests.features.factories import flight, flights_table, weather_table
from tests.features.factories import observation as weather_row
from tests.features.strategies import silver_rows

if TYPE_CHECKING:
    from pathlib import Path

ALL_DAYS = 60
World = tuple[list[dict[str, Any]], list[dict[str, Any]]]


class Folder:
    """Makes stores for a test that hypothesis runs many times."""

    def __init__(self, path: Path) -> None:
        self._path, self._made = path, 0

    def store(self) -> SqliteOnlineStore:
        self._made += 1
        return SqliteOnlineStore(self._path / f"{self._made}.db")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("state"))


def story(world: World) -> list[Event]:
    events: list[Event] = []
    for facts in flight_facts(flights_table(world[0])):
        events += events_of_flight(facts)
    events += [event_of_observation(facts) for facts in weather_facts(weather_table(world[1]))]
    return events


def items_of(store: SqliteOnlineStore) -> dict[str, bytes]:
    """Return what predictions read; not the stored events."""
    rows = store._connection.execute("SELECT key, body FROM online_items").fetchall()
    return {key: body for key, body in rows if ":" not in key and key != STATE_KEY}


def from_silver(world: World) -> dict[str, bytes]:
    tables = flights_table(world[0]), weather_table(world[1])
    return dict(online_items(*tables, retain_days=ALL_DAYS))


@settings(max_examples=25, deadline=None)
@given(world=silver_rows(), data=st.data())
def test_any_order_with_repeats_is_what_silver_makes(
    world: World, data: st.DataObject, folder: Folder
) -> None:
    # Given the events of a few days, some of them repeated, in any order and cut anywhere
    events = story(world)
    repeats = data.draw(st.lists(st.sampled_from(events), max_size=8))
    shuffled = data.draw(st.permutations([*events, *repeats]))
    store = folder.store()
    state = OnlineState(store, open_days=ALL_DAYS)
    # When they are applied a few at a time
    while shuffled:
        size = data.draw(st.integers(1, len(shuffled)))
        applied = state.apply(shuffled[:size])
        assert applied.applied == size
        shuffled = shuffled[size:]
    # Then the items are those that are made from silver, byte for byte
    assert items_of(store) == from_silver(world)
    store.close()


@settings(max_examples=25, deadline=None)
@given(before=silver_rows(), after=silver_rows(), data=st.data())
def test_corrections_in_any_order_leave_what_was_reported_last(
    before: World, after: World, data: st.DataObject, folder: Folder
) -> None:
    # Given days that were first reported otherwise, where flights and observations are the same
    reported = [msgspec.structs.replace(event, reported_at=1) for event in story(before)]
    last = story(after)
    subjects = {(subject_key(event), type(event)) for event in last}
    earlier = [event for event in reported if (subject_key(event), type(event)) in subjects]
    store = folder.store()
    # When all of it is applied in any order
    state = OnlineState(store, open_days=ALL_DAYS)
    for event in data.draw(st.permutations([*earlier, *last])):
        state.apply([event])
    # Then the items are those of what was reported last; some may have become empty
    found = {key: body for key, body in items_of(store).items() if not is_empty(body)}
    assert found == from_silver(after)
    store.close()


def is_empty(body: bytes) -> bool:
    words = memoryview(body).cast("i")
    tracks = (words[3] - 2) // 2
    return not any(words[2 + 2 * track] for track in range(tracks))


def test_events_before_the_schedule_are_applied_with_it(folder: Folder) -> None:
    # Given a departure of a flight that is not in the timetable yet
    world: World = [flight(1000, delay=30)], []
    schedule, departed, *_ = story(world)
    assert isinstance(schedule, Scheduled)
    assert isinstance(departed, Departed)
    store = folder.store()
    state = OnlineState(store)
    # When it is applied / Then no prediction sees it
    state.apply([departed])
    assert not items_of(store)
    # When the schedule arrives / Then the departure is present too
    state.apply([schedule])
    assert items_of(store)["all@2013-03-01"]
    state.apply(story(world))
    assert items_of(store) == from_silver(world)


def test_a_too_late_event_is_reported_and_not_applied(folder: Folder) -> None:
    # Given a state that has come to day 10
    store = folder.store()
    state = OnlineState(store, open_days=4)
    state.apply(story(([flight(10 * 1440, delay=0)], [])))
    items = items_of(store)
    # When events of a flight of day 3 come, and of day 7
    late, in_time = story(([flight(3 * 1440)], [])), story(([flight(7 * 1440)], []))
    applied = state.apply([*late, *in_time])
    # Then the first are given back, the others are applied
    assert applied.too_late == late
    assert applied.applied == len(in_time)
    assert {key for key in items_of(store) if key not in items} >= {"all@2013-03-08"}
    assert "all@2013-03-04" not in items_of(store)


def test_one_event_moves_the_mark_by_a_few_days_at_most(folder: Folder) -> None:
    # Given a state that has come to day 10
    store = folder.store()
    state = OnlineState(store, open_days=4)
    state.apply(story(([flight(10 * 1440, delay=0)], [])))
    before = read_watermark(store)
    # When an event of a year later comes, beside one of day 7 / Then both are applied
    applied = state.apply(story(([flight(375 * 1440), flight(7 * 1440)], [])))
    assert not applied.too_late
    # And the mark has not moved, while an event of the next day moves it
    assert read_watermark(store) == before
    state.apply(story(([flight(11 * 1440, delay=0)], [])))
    assert read_watermark(store).newest >= before.newest + 1440 - 60


@pytest.mark.parametrize(("filled", "expected"), [(1_000_000, 1_000_000), (0, 0)])
def test_a_mark_later_than_now_is_healed_by_the_next_event(
    folder: Folder, filled: int, expected: int
) -> None:
    # Given a store whose mark an earlier version let an event of the future move
    store = folder.store()
    now = 2_000_000
    wrong = Watermark(newest=now + 90_000, horizon_min=60, filled=filled)
    store.put_many({STATE_KEY: msgspec.msgpack.encode(wrong)})
    # When the next event of anybody comes / Then the mark is where the pipeline left it, or now
    state = OnlineState(store, clock=lambda: now * 60_000)
    state.apply([])
    assert read_watermark(store) == Watermark(expected, 60, filled)


def test_a_wrong_mark_of_an_earlier_version_goes_back_to_the_last_day_with_flights(
    folder: Folder,
) -> None:
    # Given a store that an earlier version filled: the mark of the pipeline is not known
    store = folder.store()
    OnlineState(store).apply(story(([flight(10 * 1440, delay=0)], [])))
    right = read_watermark(store).newest
    store.put_many({STATE_KEY: msgspec.msgpack.encode({"newest": 90_000_000, "horizon_min": 120})})
    # When it is healed, Then it is within the day of its last flight
    healed = heal_watermark(store, now=30_000_000)
    assert right <= healed.newest <= right + 1440


def test_the_pipeline_sets_back_a_mark_that_is_wrong_and_no_other(folder: Folder) -> None:
    # Given marks: right, a little ahead of the tables by events, far ahead, and later than now
    end, now = 1_000_000, 1_100_000
    for mark, expected in (
        (end - 60, end),
        (end + 1440, end + 1440),
        (now - 60, end),
        (now + 90_000, end),
    ):
        store = folder.store()
        store.put_many({STATE_KEY: msgspec.msgpack.encode(Watermark(mark))})
        # When the pipeline fills the store / Then those that are wrong are set back
        assert fill_watermark(store, end, horizon_min=30, now=now).newest == mark
        assert read_watermark(store) == Watermark(expected, 30, end)


def test_too_many_events_about_one_flight_are_refused_and_change_nothing(folder: Folder) -> None:
    # Given a flight, and a sender that corrects its departure all the time
    world: World = [flight(1000, delay=30)], []
    store = folder.store()
    state = OnlineState(store)
    state.apply(story(world))
    departed = story(world)[1]
    many = [msgspec.structs.replace(departed, reported_at=minute) for minute in range(70)]
    # When its events come / Then they are refused with the reason, and the state stays
    applied = state.apply(many)
    assert [event for event, _ in applied.refused] == many
    assert "more than 64 events" in applied.refused[0][1]
    assert items_of(store) == from_silver(world)


def test_workers_that_apply_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    # Given a busy day, and its events dealt to three workers with stores of their own
    rows = [
        flight(
            20 * n, delay=n % 50, late=n % 70, **{c.FLIGHT_NUMBER: n, c.TAIL_NUMBER: f"N{n % 9}"}
        )
        for n in range(60)
    ]
    world: World = rows, [weather_row(60 * n) for n in range(20)]
    events = story(world)

    def work(share: int) -> None:
        store = SqliteOnlineStore(tmp_path / "serving.db")
        state = OnlineState(store, open_days=ALL_DAYS)
        mine = events[share::3]
        for at in range(0, len(mine), 7):
            state.apply(mine[at : at + 7])
        store.close()

    # When they work at the same time
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    # Then the state is that of all events
    store = SqliteOnlineStore(tmp_path / "serving.db")
    assert items_of(store) == from_silver(world)
    store.close()
