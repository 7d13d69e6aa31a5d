"""Concurrent Spark jobs: while one is planned by a single thread, others use the cores."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_THREADS = 3


def run_concurrently(work: Callable[[ItemT], ResultT], items: Iterable[ItemT]) -> list[ResultT]:
    """Return the result of the work on each item, in the order of the items.

    If one fails, its error is raised after those that are running have ended.
    """
    pool = ThreadPoolExecutor(_THREADS)
    try:
        return list(pool.map(work, items))
    finally:
        pool.shutdown(cancel_futures=True)
