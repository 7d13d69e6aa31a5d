"""A problem is a message for people."""

from __future__ import annotations

import http.client
import json
import re
import time
from typing import TYPE_CHECKING, Any, Final

from pipelines.proofs.hostile.running import FLIGHT, require

if TYPE_CHECKING:
    from pipelines.proofs.hostile.world import World

_CODE: Final = re.compile(r"`[a-z]+`|regex|\\[dsSZ]|\[A-Z|[A-Z]\w*Error|<class|object at 0x|\{1,")
_BAD: Final[tuple[dict[str, Any], ...]] = (
    {"carrier": "ua", "flight_number": "x", "origin": 5, "destination": None},
    {"scheduled_departure": "tomorrow", "scheduled_arrival": [], "tail_number": {}},
    {"as_of": "\u202enow", "flight_number": 10**30},
    {"scheduled_departure": "2013-02-30T10:00", "scheduled_arrival": "1850-01-01T00:00"},
)


def no_problem_has_patterns_or_class_names(world: World) -> None:
    """Problems of flights, events, queries and broken bodies are words, each with a fix."""
    answers = [world.service.post("/model/predict", {**FLIGHT, **each}) for each in _BAD]
    events = [{"event": "flight_departed", "flight_id": "x", "at": 5}, 7, {"event": "nothing"}]
    answers.append(world.service.post("/events", {"events": events}))
    answers.append(world.service.get("/model/history?limit=x&cursor=y&since=z&until=%00"))
    answers += [
        world.service.post("/model/predict", body) for body in (b"\xff", b"{", b"[" * 60_000)
    ]
    for answer in answers:
        require(400 <= answer.status < 500, str(answer))  # noqa: PLR2004 - the caller's fault
        text = answer.body.decode()
        found = _CODE.search(text)
        require(found is None, f"it says {found}: {text[:300]}")
        require(all(each["fix"] for each in answer.json()["errors"]), text[:300])


def all_fields_at_fault_are_named_at_once(world: World) -> None:
    """Badly written fields and fields that name what does not exist are named together."""
    bad = {"carrier": "ua", "destination": "XXX", "scheduled_departure": "2013-02-30T10:00"}
    answer = world.service.post("/model/predict", {**FLIGHT, **bad, "tailnumber": "N1"})
    named = {each["field"] for each in answer.json()["errors"]}
    require(named == {*bad, "tailnumber"}, f"it named {named}")


def a_close_match_is_suggested_in_bounded_time(world: World) -> None:
    """A misspelt field names the one that was meant; thousands of them take no time."""
    answer = world.service.post("/model/predict", {**FLIGHT, "orign": "JFK"})
    require("Did you mean origin?" in answer.body.decode(), str(answer))
    body = json.dumps({**FLIGHT, **{f"orign{number}": 1 for number in range(3_500)}}).encode()
    started = time.perf_counter()
    answer = world.service.post("/model/predict", body)
    taken = time.perf_counter() - started
    require(answer.status == http.client.UNPROCESSABLE_ENTITY, str(answer))
    require(taken < 2, f"it took {taken:.1f} s")  # noqa: PLR2004 - seconds, on a busy machine
    require(len(answer.body) < 8_192, f"the answer has {len(answer.body)} bytes")  # noqa: PLR2004 - bytes
