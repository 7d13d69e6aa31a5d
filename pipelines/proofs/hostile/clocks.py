"""No input moves a clock for others."""

from __future__ import annotations

import datetime as dt
import http.client
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pipelines.proofs.hostile.running import require, run_ontime, wait_until
from serving.online.online_state import STATE_KEY, read_watermark
from serving.stores.online.sqlite import SqliteOnlineStore

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.proofs.hostile.running import RunningService
    from pipelines.proofs.hostile.world import World

_DEPARTED: Final[dict[str, Any]] = {
    "event": "flight_departed",
    "flight_id": "UA-644-2013123115",
    "at": "2013-12-31T15:41:00Z",
}
_WEATHER: Final = {"event": "weather_observed", "airport": "JFK"}
_SCHEDULED: Final = {
    "event": "flight_scheduled",
    "carrier": "UA",
    "flight_number": 646,
    "origin": "JFK",
    "destination": "SFO",
    "scheduled_departure": "2099-12-31T10:25",
    "scheduled_arrival": "2099-12-31T14:04",
}
_IN_2099: Final = 67_852_800


def a_report_of_2099_changes_nothing_for_others(world: World) -> None:
    """An event that was reported in 2099 is refused; the next event of another is applied."""
    _then_others_are_applied(world.service, {**_DEPARTED, "reported_at": "2099-01-01T00:00Z"})


def weather_of_2099_changes_nothing_for_others(world: World) -> None:
    """Weather that was observed in 2099 is refused; the next event of another is applied."""
    _then_others_are_applied(world.service, {**_WEATHER, "observed_at": "2099-01-01T00:00Z"})


def weather_of_today_changes_nothing_for_a_past_state(world: World) -> None:
    """The weather of this hour is applied, and makes no event of an older state too late."""
    now = dt.datetime.now(tz=dt.UTC).isoformat(timespec="minutes")
    _then_others_are_applied(world.service, {**_WEATHER, "observed_at": now})


def a_departure_years_after_its_flight_changes_nothing_for_others(world: World) -> None:
    """A departure of last week, of a flight of 2013, is refused."""
    at = (dt.datetime.now(tz=dt.UTC) - dt.timedelta(days=7)).isoformat(timespec="minutes")
    _then_others_are_applied(world.service, {**_DEPARTED, "at": at})


def a_schedule_of_2099_changes_nothing_for_others(world: World) -> None:
    """A flight that is scheduled for 2099 is refused; the next event of another is applied."""
    _then_others_are_applied(world.service, _SCHEDULED)


def a_mark_that_is_already_wrong_is_healed_by_the_service(world: World) -> None:
    """With a watermark of 2099 in its store, the service applies the next event, and heals it."""
    home = world.new_home()
    _set_mark(home)
    with world.own_service(home=home) as service:
        _then_others_are_applied(service)
        with closing(SqliteOnlineStore(home / "serving.db")) as store:
            require(read_watermark(store).newest < _IN_2099, "the mark is still of 2099")
        wait_until(lambda: "watermark_healed" in service.log(), "it was not logged")


def a_mark_that_is_already_wrong_is_found_and_healed_by_a_command(world: World) -> None:
    """`ontime online-state` fails with the way out, and heals the mark with `--heal`."""
    home = world.new_home()
    _set_mark(home)
    found = run_ontime(home, "online-state")
    require(found.returncode == 1, f"its exit code is {found.returncode}")
    require("--heal" in found.stderr, f"it printed {found.stderr}")
    healed = run_ontime(home, "online-state", "--heal")
    require(healed.returncode == 0, f"it printed {healed.stderr}")
    with closing(SqliteOnlineStore(home / "serving.db")) as store:
        require(read_watermark(store).newest < _IN_2099, "the mark is still of 2099")


def _then_others_are_applied(service: RunningService, *events: dict[str, Any]) -> None:
    """Send events, and require that the event of another is applied after them."""
    for event in events:
        service.post("/events", {"events": [event]})
        wait_until(lambda: _waiting(service) == 0, "the event was not taken")
    before = service.metric("ontime_events_total", state="applied")
    answer = service.post("/events", {"events": [_DEPARTED]})
    require(answer.status == http.client.ACCEPTED, str(answer))
    wait_until(
        lambda: service.metric("ontime_events_total", state="applied") > before,
        "the event after it was not applied",
    )


def _waiting(service: RunningService) -> float:
    return service.metric("ontime_events_waiting")


def _set_mark(home: Path) -> None:
    with closing(SqliteOnlineStore(home / "serving.db")) as store:
        mark = msgspec.structs.replace(read_watermark(store), newest=_IN_2099)
        store.put_many({STATE_KEY: msgspec.msgpack.encode(mark)})
