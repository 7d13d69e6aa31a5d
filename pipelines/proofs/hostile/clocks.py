"""No input moves a clock for others."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Final

from pipelines.proofs.hostile.running import require, wait_until

if TYPE_CHECKING:
    from pipelines.proofs.hostile.world import World

_DEPARTED: Final = {
    "event": "flight_departed",
    "flight_id": "UA-644-2013123115",
    "at": "2013-12-31T15:41:00Z",
}


def an_event_reported_in_2099_changes_nothing_for_others(world: World) -> None:
    """An event with a report of 2099 is not applied, and the next event of another is."""
    future = {**_DEPARTED, "flight_id": "UA-645-2013123115", "reported_at": "2099-01-01T00:00Z"}
    world.service.post("/events", {"events": [future]})
    before = world.service.metric("ontime_events_total", state="applied")
    answer = world.service.post("/events", {"events": [_DEPARTED]})
    require(answer.status == http.client.ACCEPTED, str(answer))
    wait_until(
        lambda: world.service.metric("ontime_events_total", state="applied") > before,
        "the event after it was not applied",
    )
