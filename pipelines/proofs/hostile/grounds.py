"""A prediction without grounds says so."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any, Final

from pipelines.proofs.hostile.running import FLIGHT, require, wait_until

if TYPE_CHECKING:
    from pipelines.proofs.hostile.world import World

_FAR: Final = {
    "carrier": "ZZ",
    "scheduled_departure": "2053-07-01T10:25",
    "scheduled_arrival": "2053-07-01T14:04",
}
_CODES: Final = {"outside_data", "unknown_carrier", "stale", "mostly_missing"}


def a_flight_outside_the_data_has_warnings(world: World) -> None:
    """A flight of 2053 is answered with `outside_data`, and with what else it lacks."""
    found = world.service.predict(**_FAR).json()["warnings"]
    require("outside_data" in found and set(found) <= _CODES, f"its warnings are {found}")


def an_unknown_carrier_has_a_warning(world: World) -> None:
    """A carrier that the model has learned nothing about is answered with `unknown_carrier`."""
    found = world.service.predict(carrier="ZZ").json()["warnings"]
    require("unknown_carrier" in found, f"its warnings are {found}")
    known = world.service.predict().json()["warnings"]
    require("unknown_carrier" not in known, f"the warnings of a known carrier are {known}")


def every_path_has_the_same_warnings(world: World) -> None:
    """One flight, a batch, an asynchronous prediction and the history have the same warnings."""
    service, flight = world.service, {**FLIGHT, **_FAR}
    one = service.predict(**_FAR).json()
    batch = service.post("/model/predict/batch", {"flights": [flight]}).json()["items"][0]
    job = service.post("/model/predict/async", flight).json()["id"]
    done: dict[str, Any] = {}

    def is_done() -> bool:
        done.update(service.get(f"/model/predict/async/{job}").json())
        return bool(done["state"] == "done")

    wait_until(is_done, "the asynchronous prediction was not made")
    page = service.get(f"/model/history?flight_id={one['flight_id']}").json()["items"]
    answers = (batch["prediction"], done["prediction"], *page)
    found = [each["warnings"] for each in answers]
    require(all(each == one["warnings"] for each in found), f"{one['warnings']} and {found}")


def the_model_says_what_it_knows(world: World) -> None:
    """GET /model has the span of the online state and of what the model learned from."""
    answer = world.service.get("/model")
    require(answer.status == http.client.OK, str(answer))
    found = answer.json()
    require("learned" in found and set(found["online"]) == {"from", "until"}, str(answer))


def the_share_of_answers_with_warnings_is_a_metric(world: World) -> None:
    """A prediction with warnings moves the share and the counters."""
    before = world.service.metric("ontime_prediction_warnings_total", code="unknown_carrier")
    world.service.predict(**_FAR)
    after = world.service.metric("ontime_prediction_warnings_total", code="unknown_carrier")
    require(after == before + 1, f"the counter went from {before:g} to {after:g}")
    share = world.service.metric("ontime_warned_share")
    require(0 < share <= 1, f"the share is {share:g}")
