"""A store that failed is not called for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from serving.stores.errors import StoreError
from serving.stores.online.circuit_breaker import OnlineCircuitBreaker
from serving.stores.online.sqlite import SqliteOnlineStore

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class FailingStore(SqliteOnlineStore):
    calls = 0
    down = False

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        self.calls += 1
        if self.down:
            raise StoreError("it is down")
        return super().get_many(keys)


def test_a_store_that_failed_is_called_with_exponential_back_off(tmp_path: Path) -> None:
    # Given a store that fails
    now = [0.0]
    store = FailingStore(tmp_path / "serving.db")
    store.put_many({"a": b"1"})
    items = OnlineCircuitBreaker(store, clock=lambda: now[0])
    assert items.get_many(["a"]) == {"a": b"1"}
    store.down = True
    # When a hundred requests come in each of four seconds
    for tick in range(400):
        now[0] = tick / 100
        with pytest.raises(StoreError):
            items.get_many(["a"])
    # Then it was called after 0, 1/4, 3/4, 7/4 and 15/4 seconds only
    assert store.calls == 1 + 5
    # And when it is back, every request calls it, once the pause is over
    store.down = False
    now[0] += 4
    for _ in range(3):
        assert items.get_many(["a"]) == {"a": b"1"}
    assert store.calls == 6 + 3
    store.close()
