from __future__ import annotations

import threading
import time

import pytest

from pipelines.spark.concurrency import at_once


def test_results_come_in_the_order_of_the_items() -> None:
    def work(item: int) -> int:
        time.sleep(0.02 * (3 - item % 3))
        return item * item

    assert at_once(work, range(7)) == [0, 1, 4, 9, 16, 25, 36]


def test_items_are_worked_on_together() -> None:
    together = threading.Barrier(3, timeout=10)
    assert at_once(lambda _: together.wait() >= 0, range(3)) == [True] * 3


def test_an_error_is_raised_when_what_has_begun_has_ended() -> None:
    ended: list[int] = []

    def work(item: int) -> None:
        if item == 0:
            raise ValueError("the first")
        time.sleep(0.05)
        ended.append(item)

    with pytest.raises(ValueError, match="the first"):
        at_once(work, range(50))
    assert 1 <= len(ended) < 10
