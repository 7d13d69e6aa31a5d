"""How far the online state has come: one small item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from serving.stores.online import OnlineStore

STATE_KEY: Final = "state"


class StateMark(msgspec.Struct, frozen=True):
    """How far the state has come.

    Attributes:
        newest: The newest minute at which anything was known, to the hour.
    """

    newest: int


def read_mark(store: OnlineStore) -> int:
    """Return the newest minute that the state knows of; 0 when it knows of none.

    Raises:
        StoreError: The store cannot be read.
    """
    found = store.read_many([STATE_KEY]).get(STATE_KEY)
    return 0 if found is None else msgspec.msgpack.decode(found.body, type=StateMark).newest


def move_mark(store: OnlineStore, newest: int) -> None:
    """Note that the state has come to a minute, unless it is further already."""
    while True:
        found = store.read_many([STATE_KEY]).get(STATE_KEY)
        if found is not None:
            mark = msgspec.msgpack.decode(found.body, type=StateMark)
            if mark.newest >= newest:
                return
        body = msgspec.msgpack.encode(StateMark(newest))
        if not store.replace_many({STATE_KEY: (body, found.tag if found else None)}):
            return
