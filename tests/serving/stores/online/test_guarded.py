"""A store that failed is left alone for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from serving.stores.errors import StoreError
from serving.stores.online.guarded import GuardedItems
from serving.stores.online.sqlite import SqliteOnlineStore

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Counted(SqliteOnlineStore):
    asked = 0
    down = False

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        self.asked += 1
        if self.down:
            raise StoreError("it is down")
        return super().get_many(keys)


def test_a_store_that_failed_is_left_alone_for_longer_and_longer(tmp_path: Path) -> None:
    # Given a store that goes down
    now = [0.0]
    store = Counted(tmp_path / "serving.db")
    store.put_many({"a": b"1"})
    items = GuardedItems(store, seconds=lambda: now[0])
    assert items.get_many(["a"]) == {"a": b"1"}
    store.down = True
    # When a hundred requests come in each of four seconds
    for tick in range(400):
        now[0] = tick / 100
        with pytest.raises(StoreError):
            items.get_many(["a"])
    # Then it was asked after 0, 1/4, 3/4, 7/4 and 15/4 seconds only
    assert store.asked == 1 + 5
    # And when it is back, it is asked again each time, after its pause
    store.down = False
    now[0] += 4
    for _ in range(3):
        assert items.get_many(["a"]) == {"a": b"1"}
    assert store.asked == 6 + 3
    store.close()
