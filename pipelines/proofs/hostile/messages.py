"""One bad message never takes others with it."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any, Final

from pipelines.proofs.hostile.running import FLIGHT, require, wait_until

if TYPE_CHECKING:
    from pipelines.proofs.hostile.running import RunningService
    from pipelines.proofs.hostile.world import World

_DEPARTED: Final[dict[str, Any]] = {
    "event": "flight_departed",
    "flight_id": "UA-642-2013123115",
    "at": "2013-12-31T15:41:00Z",
}
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


def _applied(service: RunningService) -> float:
    return service.metric("ontime_events_total", state="applied")
