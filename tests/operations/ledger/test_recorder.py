"""Decisions taken while others decide."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from operations.ledger.entries import Release
from operations.ledger.ledger import LedgerConflictError
from tests.operations.ledger_world import ONE, START, THREE, TWO, LedgerWorld

if TYPE_CHECKING:
    from collections.abc import Callable

    from operations.release.decisions import Interventions
    from serving.stores.artifacts.protocol import StoredObject


class Overtaken:
    """A store in which others do something just before the first entry is appended."""

    def __init__(self, world: LedgerWorld, meanwhile: Callable[[], object]) -> None:
        self._store = world.store
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


def bob(world: LedgerWorld, meanwhile: Callable[[], object]) -> Interventions:
    return replace(world.ada, by="Bob", store=Overtaken(world, meanwhile))


def test_a_rollback_that_conflicts_with_another_is_refused(world: LedgerWorld) -> None:
    # Given three champions, and Ada who rolls back while Bob decides to
    for each in (ONE, TWO, THREE):
        world.champion(each)
    overtaken = bob(world, lambda: world.ada.roll_back(reason="false alarms"))
    # When Bob's is recorded, Then it is refused with what came first, and went back only once
    first = r"version 2 of ontime was not rolled back; entry 13: version 2 rolled back by Ada at "
    with pytest.raises(LedgerConflictError, match=first):
        overtaken.roll_back(reason="so many alarms")
    assert world.state.release == Release(champion=TWO)


def test_what_changes_no_release_causes_no_conflict(world: LedgerWorld) -> None:
    # Given a rollback that is decided while a new version is registered and evaluated
    world.champion(ONE)
    world.champion(TWO)

    def train() -> None:
        world.pipeline.registered("3", {"run_id": "run-3"})
        world.pipeline.gated("3", passed=True, reasons=(), figures={})

    # When it is recorded, Then both stand
    bob(world, train).roll_back(reason="false alarms")
    assert world.kinds[-3:] == ["registered", "gated", "rolled_back"]
    assert world.state.release == Release(champion=ONE)


def test_of_two_promotions_of_two_versions_the_later_is_refused(world: LedgerWorld) -> None:
    # Given a challenger, which another takes the place of and is promoted, in between
    world.champion(ONE)
    world.publish(TWO)
    overtaken = replace(world.pipeline, store=Overtaken(world, lambda: world.champion(THREE)))
    with pytest.raises(LedgerConflictError, match="version 2 of ontime was not promoted; entry 11"):
        overtaken.promoted(TWO, rollout="direct", reason="gates passed")
    assert world.state.release == Release(champion=THREE)


def test_a_clock_that_goes_back_does_not_reorder_the_ledger(world: LedgerWorld) -> None:
    world.champion(ONE)
    newest = world.ledger.entries[-1].at
    late = replace(world.pipeline, clock=lambda: START - 3_600_000)
    late.gated("1", passed=False, reasons=("too slow",), figures={})
    assert world.ledger.entries[-1].at == newest
