from __future__ import annotations

from typing import TYPE_CHECKING

from operations.ledger.ledger import read_ledger
from pipelines.register import run

if TYPE_CHECKING:
    from tests.pipelines.conftest import Recorded


def test_a_model_whose_gates_passed_becomes_the_challenger(recorded: Recorded) -> None:
    recorded.trained()
    outcome = run(recorded.context)
    assert outcome.outputs == {"version": "1", "passed": True}
    assert recorded.registry.aliases == {"challenger": "1"}
    registered, gated = read_ledger(recorded.context.artifacts).entries
    assert registered.evidence == {"run_id": "run-1", "gold_hash": "d" * 64}
    assert gated.evidence["figures"] == {"auc": 0.75, "auc_naive": 0.62}


def test_a_refused_model_is_registered_for_the_ledger_but_has_no_alias(recorded: Recorded) -> None:
    recorded.trained("run-1", "AUC is 0.61")
    outcome = run(recorded.context)
    assert outcome.outputs == {"version": "1", "passed": False}
    assert outcome.notes == ("ontime version 1: its gates refused it, so it gets no alias",)
    assert recorded.registry.aliases == {}
    assert recorded.ledger() == [("registered", "1"), ("gated", "1")]


def test_run_again_it_makes_no_second_version_and_no_second_entry(recorded: Recorded) -> None:
    recorded.trained()
    assert run(recorded.context).outputs == run(recorded.context).outputs
    assert recorded.registry.runs == ["run-1"]
    assert len(recorded.ledger()) == 2


def test_an_alias_that_a_hand_took_away_is_put_back(recorded: Recorded) -> None:
    recorded.trained()
    run(recorded.context)
    recorded.registry.aliases.clear()
    run(recorded.context)
    assert recorded.registry.aliases == {"challenger": "1"}
