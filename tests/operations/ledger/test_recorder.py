"""Decisions taken while others decide."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from operations.ledger.entries import Release
from operations.ledger.ledger import LedgerConflictError
from tests.operations.lives import ONE, START, THREE, TWO, Life

if TYPE_CHECKING:
    from collections.abc import Callable

    from operations.release.decisions import Interventions
    from serving.stores.artifacts.local import StoredObject


class Overtaken:
    """A store in which others do something just before the first entry is appended."""

    def __init__(self, life: Life, meanwhile: Callable[[], object]) -> None:
        self._store = life.store
        self._meanwhile: Callable[[], object] | None = meanwhile

    def get(self, key: str) -> StoredObject:
        return self._store.get(key)

    def create(self, key: str, body: bytes) -> str:
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return self._store.create(key, body)

    def replace(self, key: str, body: bytes, etag: str) -> str:
        return self._store.replace(key, body, etag)

    def list(self, prefix: str) -> list[str]:
        return self._store.list(prefix)


def bob(life: Life, meanwhile: Callable[[], object]) -> Interventions:
    return replace(life.ada, by="Bob", store=Overtaken(life, meanwhile))


def test_a_rollback_that_another_overtook_is_refused(life: Life) -> None:
    # Given three champions, and Ada who rolls back while Bob decides to
    for each in (ONE, TWO, THREE):
        life.champion(each)
    overtaken = bob(life, lambda: life.ada.roll_back(reason="false alarms"))
    # When Bob's is recorded, Then it is refused with what came first, and went back only once
    first = r"version 2 of ontime was not rolled back; entry 13: version 2 rolled back by Ada at "
    with pytest.raises(LedgerConflictError, match=first):
        overtaken.roll_back(reason="so many alarms")
    assert life.state.release == Release(champion=TWO)


def test_what_changes_no_release_overtakes_nobody(life: Life) -> None:
    # Given a rollback that is decided while a new version is registered and judged
    life.champion(ONE)
    life.champion(TWO)

    def train() -> None:
        life.pipeline.registered("3", {"run_id": "run-3"})
        life.pipeline.gated("3", passed=True, reasons=(), figures={})

    # When it is recorded, Then both stand
    bob(life, train).roll_back(reason="false alarms")
    assert life.kinds[-3:] == ["registered", "gated", "rolled_back"]
    assert life.state.release == Release(champion=ONE)


def test_of_two_promotions_of_two_versions_the_later_is_refused(life: Life) -> None:
    # Given a challenger, which another takes the place of and is promoted, in between
    life.champion(ONE)
    life.on_trial(TWO)
    overtaken = replace(life.pipeline, store=Overtaken(life, lambda: life.champion(THREE)))
    with pytest.raises(LedgerConflictError, match="version 2 of ontime was not promoted; entry 11"):
        overtaken.promoted(TWO, rollout="direct", reason="gates passed")
    assert life.state.release == Release(champion=THREE)


def test_a_clock_that_goes_back_does_not_reorder_the_ledger(life: Life) -> None:
    life.champion(ONE)
    newest = life.ledger.entries[-1].at
    late = replace(life.pipeline, clock=lambda: START - 3_600_000)
    late.gated("1", passed=False, reasons=("too slow",), figures={})
    assert life.ledger.entries[-1].at == newest
