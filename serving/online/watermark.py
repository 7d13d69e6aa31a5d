"""How far the online state has come: one small item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from features.declare.declarations import HORIZON_MIN

if TYPE_CHECKING:
    from serving.stores.online.protocol import OnlineStore

STATE_KEY: Final = "state"


class StateMark(msgspec.Struct, frozen=True):
    """How far the state has come.

    Attributes:
        newest: The newest minute at which anything was known, to the hour.
        horizon_min: Minutes from the prediction time to the scheduled departure, for which the
            pipeline filled it.
    """

    newest: int = 0
    horizon_min: int = HORIZON_MIN


def read_mark(store: OnlineStore) -> StateMark:
    """Return how far the state has come.

    Raises:
        StoreError: The store cannot be read.
    """
    found = store.read_many([STATE_KEY]).get(STATE_KEY)
    return StateMark() if found is None else msgspec.msgpack.decode(found.body, type=StateMark)


def move_mark(store: OnlineStore, newest: int, *, horizon_min: int | None = None) -> None:
    """Note that the state has come to a minute, unless it is further already.

    Args:
        store: Where the state is.
        newest: The minute.
        horizon_min: The horizon, from whoever fills the state anew.
    """
    while True:
        found = store.read_many([STATE_KEY]).get(STATE_KEY)
        mark = StateMark() if found is None else msgspec.msgpack.decode(found.body, type=StateMark)
        horizon = mark.horizon_min if horizon_min is None else horizon_min
        moved = StateMark(max(mark.newest, newest), horizon)
        if found is not None and moved == mark:
            return
        body = msgspec.msgpack.encode(moved)
        if not store.replace_many({STATE_KEY: (body, found.tag if found else None)}):
            return
