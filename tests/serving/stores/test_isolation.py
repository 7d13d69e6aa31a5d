"""One bad item never takes others with it; an outage ends the attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from serving.stores.errors import ConflictError, ItemRefusedError, ItemTooLargeError, StoreError
from serving.stores.isolation import apply_isolated

if TYPE_CHECKING:
    from collections.abc import Sequence


class Sink:
    """Takes numbers, and raises an error for some."""

    def __init__(self, errors: dict[int, Exception]) -> None:
        self.errors = errors
        self.taken: set[int] = set()
        self.calls = 0

    def apply(self, items: Sequence[int]) -> None:
        self.calls += 1
        for item in items:
            if item in self.errors:
                raise self.errors[item]
        self.taken |= set(items)


def test_items_that_can_all_be_applied_take_one_call() -> None:
    sink = Sink({})
    assert apply_isolated([1, 2, 3], sink.apply) == {}
    assert apply_isolated([], sink.apply) == {}
    assert (sink.taken, sink.calls) == ({1, 2, 3}, 1)


@pytest.mark.parametrize(
    "error",
    [ItemRefusedError("no"), ItemTooLargeError("no"), ConflictError("no"), ValueError("no")],
)
def test_a_bad_item_fails_alone(error: Exception) -> None:
    sink = Sink({2: error})
    assert apply_isolated([1, 2, 3], sink.apply) == {1: error}
    assert sink.taken == {1, 3}


def test_an_outage_fails_all_that_is_left_after_one_call() -> None:
    # Given a store that is down / When many items are applied / Then it is called once
    error = StoreError("down")
    sink = Sink(dict.fromkeys(range(10), error))
    assert apply_isolated(range(10), sink.apply) == dict.fromkeys(range(10), error)
    assert sink.calls == 1
    # And an outage between single items ends them
    sink = Sink({0: ValueError("no"), 2: error})
    assert set(apply_isolated(range(4), sink.apply)) == {0, 2, 3}
    assert sink.taken == {1}
