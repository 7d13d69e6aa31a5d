from __future__ import annotations

import threading
import time

import pytest

from pipelines.spark.concurrency import run_concurrently


def test_results_come_in_the_order_of_the_items() -> None:
    # Given an item that ends only after a later one
    later = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert later.wait(10)
        if item == 1:
            later.set()
        return item * item

    # When / Then

    assert run_concurrently(work, range(7)) == [0, 1, 4, 9, 16, 25, 36]


def test_items_are_worked_on_together() -> None:
    together = threading.Barrier(3, timeout=10)
    assert run_concurrently(lambda _: together.wait() >= 0, range(3)) == [True] * 3


def test_an_error_is_raised_when_what_has_begun_has_ended() -> None:
    # Given an item that fails while another one is in progress
    begun, ended = threading.Event(), list[int]()

    def work(item: int) -> None:
        if item == 0:
            assert begun.wait(10)
            raise ValueError("the first")
        begun.set()
        time.sleep(0.05)  # a caller that does not wait returns before this ends
        ended.append(item)

    # When / Then

    with pytest.raises(ValueError, match="the first"):
        run_concurrently(work, range(50))
    assert 1 <= len(ended) < 10
