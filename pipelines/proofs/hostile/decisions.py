"""Only a decision changes what answers."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any

from pipelines.proofs.hostile.running import FLIGHT, require, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipelines.proofs.hostile.world import World


def a_key_without_the_scope_loads_no_version(world: World) -> None:
    """A key that may predict is answered 403 where a model would be loaded."""
    body = json.dumps({"alias": "champion"}).encode()
    answer = world.service.ask("POST", "/model/load", body, world.narrow)
    require(answer.status == http.client.FORBIDDEN, str(answer))
    require("'operate'" in answer.json()["detail"], str(answer))


def a_key_that_may_predict_reports_no_events(world: World) -> None:
    """A key that may predict predicts, and is answered 403 where it reports events."""
    predicted = world.service.ask(
        "POST", "/model/predict/batch", json.dumps({"flights": [FLIGHT]}).encode(), world.narrow
    )
    require(predicted.status == http.client.OK, str(predicted))
    answer = world.service.ask("POST", "/events", b'{"events": []}', world.narrow)
    require(answer.status == http.client.FORBIDDEN, str(answer))


def a_version_that_no_decision_has_answer_is_not_loaded(world: World) -> None:
    """Outside development a published version that is not released is refused with 409."""
    models = world.service.home / "store" / "models" / "ontime"
    before = world.service.get("/model").json()
    package = models / str(before["version"])
    other = models / "999"
    other.mkdir()
    try:
        for file in package.iterdir():
            (other / file.name).write_bytes(file.read_bytes())
        answer = world.service.post("/model/load", {"version": "999"})
        require(answer.status == http.client.CONFLICT, str(answer))
    finally:
        for file in other.iterdir():
            file.unlink()
        other.rmdir()
    after = world.service.get("/model").json()
    require(after["version"] == before["version"], f"it answers with {after['version']}")


def a_load_of_the_champion_keeps_following_decisions(world: World) -> None:
    """The champion may be loaded by its number, and the server follows its alias as before."""
    version = world.service.get("/model").json()["version"]
    answer = world.service.post("/model/load", {"version": version})
    require(answer.status == http.client.OK, str(answer))
    require(answer.json()["alias"] == "champion", f"it is pinned: {answer}")


def a_release_document_of_before_is_not_followed(world: World) -> None:
    """A release document with a lower revision is refused, counted, and seen in /ready."""

    def step_back(document: dict[str, Any]) -> bytes:
        return json.dumps({**document, "revision": document["revision"] - 1}).encode()

    _refused_while(world, step_back, "Revisions only grow")


def a_release_document_that_cannot_be_read_is_reported(world: World) -> None:
    """A damaged release document leaves the model, and /ready says that nothing is followed."""
    _refused_while(world, lambda _: b'{"revision"', "is not a release document")


def a_release_document_that_is_gone_is_reported(world: World) -> None:
    """A deleted release document leaves the model, and /ready says that nothing is followed."""
    _refused_while(world, lambda _: None, "is gone")


def _refused_while(
    world: World, change: Callable[[dict[str, Any]], bytes | None], reason: str
) -> None:
    path: Path = world.service.home / "store" / "release.json"
    body = path.read_bytes()
    version = world.service.get("/model").json()["version"]
    refusals = world.service.metric("ontime_refused_artifacts_total")
    try:
        changed = change(json.loads(body))
        path.unlink() if changed is None else path.write_bytes(changed)
        wait_until(
            lambda: reason in str(world.service.get("/ready").json().get("refusal")),
            f"/ready does not say '{reason}'",
        )
        require(world.service.metric("ontime_release_followed") == 0, "the metric says followed")
        counted = world.service.metric("ontime_refused_artifacts_total") - refusals
        require(counted == 1, f"it was counted {counted:g} times")
        answered = world.service.predict()
        require(answered.status == http.client.OK, str(answered))
        require(answered.json()["model"]["version"] == version, "another version answers")
    finally:
        path.write_bytes(body)
    wait_until(
        lambda: world.service.get("/ready").json()["refusal"] is None, "it is not followed again"
    )
