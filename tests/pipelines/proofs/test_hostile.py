"""`make hostile`: cases are found by kind, run against a real service, counted and written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipelines.proofs.hostile import messages
from pipelines.proofs.hostile.proof import Case, HostileError, all_cases, prove_hostile
from pipelines.proofs.hostile.running import require
from pipelines.runtime.context import RunContext
from pipelines.settings import load_settings
from tests.serving.support import a_home

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.proofs.hostile.world import World


@pytest.fixture
def context(home: Path) -> RunContext:
    a_home(home)
    return RunContext(load_settings())


def predicts_once(world: World) -> None:
    require(world.service.predict().status == 200, "no prediction")


def does_not_hold(world: World) -> None:
    world.service.predict()
    require(held=False, text="it fell")


def forgets_a_prediction(world: World) -> None:
    world.service.acknowledged.add("never made")


def figures_of(context: RunContext) -> dict[str, object]:
    path = context.settings.home / "figures" / "hostile.json"
    found: dict[str, object] = json.loads(path.read_text())
    return found


def test_every_function_of_a_kind_is_a_case_with_a_readable_name() -> None:
    found = all_cases([messages])
    assert found[0].kind == "One bad message never takes others with it"
    assert found[0].name == "an invalid flight does not fail its batch"
    names = [each.name for each in all_cases()]
    assert len(set(names)) == len(names)


def test_the_cases_are_counted_and_the_home_stays_as_it_was(context: RunContext) -> None:
    # Given a home with a released model, and two cases that hold
    database = (context.settings.home / "serving.db").read_bytes()
    cases = [Case("kind", name, predicts_once) for name in ("a", "b")]
    # When they are run / Then the figures have them, and the home's own stores were not used
    prove_hostile(context, cases=cases)
    found = figures_of(context)
    assert found["cases"] == found["held"] == found["acknowledged"] == 2
    assert found["acknowledged_lost"] == 0
    assert (context.settings.home / "serving.db").read_bytes() == database


def test_a_case_that_does_not_hold_and_a_lost_prediction_are_reported(context: RunContext) -> None:
    # Given a case that fails, one that loses a prediction, and one that holds
    runs = (does_not_hold, forgets_a_prediction, predicts_once)
    cases = [Case("kind", each.__name__, each) for each in runs]
    # When they are run / Then all of them are, and the command fails with the first reason
    with pytest.raises(HostileError, match="1 cases did not hold and 1 predictions were"):
        prove_hostile(context, cases=cases)
    found = figures_of(context)
    assert (found["cases"], found["held"], found["acknowledged_lost"]) == (3, 2, 1)
    # And a part of a name chooses
    with pytest.raises(HostileError, match="No case contains 'zzz'"):
        prove_hostile(context, only="zzz")
