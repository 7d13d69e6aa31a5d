"""The state is a fold: laws that hold after any decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from ontime_base.errors import OntimeError
from operations.ledger.entries import Release
from operations.ledger.state import state_at
from serving.models.release_document import ReleasedVersion
from tests.operations.ledger_world import ONE, THREE, TWO, LedgerWorld

if TYPE_CHECKING:
    import pytest

VERSIONS = st.sampled_from([ONE, TWO, THREE])
STEPS = st.one_of(
    st.tuples(st.just("on_trial"), VERSIONS),
    st.tuples(st.just("promote"), VERSIONS),
    st.tuples(st.just("weight"), st.sampled_from([0.0, 0.1, 1.0])),
    st.tuples(st.just("back"), st.sampled_from([None, "1", "2", "3"])),
    st.tuples(st.just("reject"), st.sampled_from("123")),
    st.tuples(st.just("approve"), st.sampled_from("123")),
)


def take(world: LedgerWorld, step: tuple[str, object], reason: str) -> None:
    kind, about = step
    verdicts = {
        "back": world.ada.roll_back,
        "reject": world.ada.reject,
        "approve": world.ada.approve,
    }
    try:
        if kind == "weight":
            world.ada.roll_out(float(str(about)), reason=reason)
        elif kind in verdicts:
            verdicts[kind](about, reason=reason)  # type: ignore[operator] # by name
        elif isinstance(about, ReleasedVersion) and kind == "on_trial":
            world.publish(about)
        elif isinstance(about, ReleasedVersion):
            world.pipeline.promoted(about, rollout="direct", reason=reason)
    except OntimeError:
        pass  # refused: the ledger is as before


@given(steps=st.lists(STEPS, max_size=14))
def test_every_sequence_of_decisions_leaves_a_consistent_state(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, object]]
) -> None:
    # Given a ledger after any decisions, in any order
    world = LedgerWorld(tmp_path_factory.mktemp("world"))
    for place, step in enumerate(steps):
        take(world, step, f"step {place}")
    entries = world.ledger.entries
    # Then after each of them
    for end in range(len(entries) + 1):
        state = state_at(entries[:end])
        release, entry = state.release, entries[end - 1] if end else None
        # the champion is the last of the champions, and none of them is present twice in a row
        assert state.champions[-1:] == ((release.champion,) if release.champion else ())
        assert all(a != b for a, b in zip(state.champions, state.champions[1:], strict=False))
        # no version is in two places, and a withdrawn version is in none
        placed = [v.version for v in (release.champion, release.challenger) if v]
        assert len(set(placed)) == len(placed)
        assert not set(placed) & set(state.withdrawn)
        assert state.candidate not in {*state.withdrawn, *placed[: bool(release.champion)]}
        # only a challenger has a weight
        assert release.challenger is not None or release.challenger_weight == 0
        # and the revision counts the changes
        assert state.revision == sum(e.release is not None for e in entries[:end])
        assert entry is None or entry.release is None or state.released_by == entry


def test_a_release_from_long_ago_is_found_by_its_time(world: LedgerWorld) -> None:
    world.champion(ONE)
    world.champion(TWO)
    world.ada.roll_back(reason="false alarms")
    found = [
        state_at(world.ledger.entries, f"2026-03-01T10:00:0{s}.500Z").release for s in range(9)
    ]
    assert found[2:5] == [Release(None, ONE), Release(ONE), Release(ONE)]
    assert found[6:] == [Release(ONE, TWO), Release(TWO), Release(ONE)]
