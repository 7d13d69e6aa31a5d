from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from operations.ledger.entries import Release
from operations.ledger.ledger import LedgerError, read_ledger
from operations.ledger.state import state_at
from operations.release.decisions import Decisions
from serving.models.release_document import ReleasedVersion
from serving.stores.artifacts.local import FolderArtifactStore

if TYPE_CHECKING:
    from pathlib import Path

ONE = ReleasedVersion("1", "a" * 64)
TWO = ReleasedVersion("2", "b" * 64)


@pytest.fixture
def decisions(tmp_path: Path) -> Decisions:
    ticks = count(1_772_359_200_000, 1000)
    store = FolderArtifactStore(tmp_path / "store")
    return Decisions(store=store, model="ontime", by="pipeline", clock=lambda: next(ticks))


def gate(decisions: Decisions, version: str, *reasons: str) -> None:
    decisions.gated(version, passed=not reasons, reasons=reasons, figures={"auc": 0.75})


def release(decisions: Decisions, version: ReleasedVersion) -> None:
    decisions.registered(version.version, {"run_id": "r" * 32})
    gate(decisions, version.version)
    decisions.published(version)
    decisions.promoted(version, rollout="direct", reason="gates passed")


def kinds(decisions: Decisions) -> list[str]:
    return [entry.kind for entry in read_ledger(decisions.store).entries]


def test_a_version_from_registration_to_champion_is_four_entries(decisions: Decisions) -> None:
    release(decisions, ONE)
    assert kinds(decisions) == ["registered", "gated", "published", "promoted"]
    entries = read_ledger(decisions.store).entries
    assert state_at(entries).release == Release(champion=ONE)
    assert entries[0].at == "2026-03-01T10:00:00.000Z"
    assert entries[3].evidence["champion_before"] is None


def test_repeating_every_decision_records_nothing(decisions: Decisions) -> None:
    release(decisions, ONE)
    release(decisions, ONE)
    assert len(kinds(decisions)) == 4


def test_the_second_version_takes_over_from_the_first(decisions: Decisions) -> None:
    # Given a champion
    release(decisions, ONE)
    # When another version is published
    gate(decisions, "2")
    decisions.published(TWO)
    # Then the champion keeps answering until the promotion
    assert state_at(read_ledger(decisions.store).entries).release == Release(ONE, TWO)
    decided = decisions.promoted(TWO, rollout="direct", reason="better")
    entries = read_ledger(decisions.store).entries
    assert decided.outcome == "promote"
    assert state_at(entries).release == Release(champion=TWO)
    assert entries[-1].evidence["champion_before"] == "1"


def test_a_refused_version_leaves_the_champion_and_no_entry(decisions: Decisions) -> None:
    release(decisions, ONE)
    gate(decisions, "2", "auc 0.61 is below 0.73")
    before = kinds(decisions)
    decided = decisions.promoted(TWO, rollout="direct", reason="please")
    assert decided.outcome == "refuse"
    assert "auc 0.61 is below 0.73" in decided.reasons
    assert kinds(decisions) == before
    assert state_at(read_ledger(decisions.store).entries).release == Release(champion=ONE)


def test_a_gate_result_is_recorded_again_only_when_it_changes(decisions: Decisions) -> None:
    gate(decisions, "1")
    gate(decisions, "1")
    gate(decisions, "1", "too slow")
    gate(decisions, "1", "too slow")
    gate(decisions, "1", "too slow", "too big")
    assert kinds(decisions) == ["gated"] * 3
    reason = read_ledger(decisions.store).entries[-1].reason
    assert reason == "gates refused it: too slow; too big"


def test_a_version_that_the_ledger_knows_as_another_run_is_refused(decisions: Decisions) -> None:
    # Given a ledger whose registry was lost
    release(decisions, ONE)
    # When a new registry starts to count again
    with pytest.raises(LedgerError, match="they do not belong together"):
        decisions.registered("1", {"run_id": "s" * 32})
    # Then nothing is recorded
    assert len(kinds(decisions)) == 4
