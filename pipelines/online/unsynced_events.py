"""What events told and silver does not have yet: kept when the pipeline fills the online store."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from features.catalog import FEATURES
from features.declare import columns as c
from features.declare.declarations import MINUTES_PER_DAY
from features.online.day_sums import update_sums
from features.online.item_bytes import due_minute, identity
from features.online.item_keys import sums_suffix
from features.online.item_layout import SUMS_DAYS, layouts
from features.online.item_updates import carry_over_rows
from serving.online.online_state import OPEN_DAYS

if TYPE_CHECKING:
    from features.online.item_layout import EntityLayout
    from features.online.row_mapping import Facts
    from serving.stores.online.protocol import OnlineStore

_EPOCH: Final = dt.date(1970, 1, 1).toordinal()


class Untold:
    """Keeps rows of flights and observations that silver does not have.

    Args:
        flights: What silver has of flights.
        weather: What it has of the weather.
    """

    def __init__(self, flights: list[Facts], weather: list[Facts]) -> None:
        self._layouts = {layout.entity: layout for layout in layouts(FEATURES)}
        names = (c.SCHEDULED_DEPARTURE, c.FLIGHT_NUMBER, c.CARRIER)
        self._told = {identity(*(flight[name] for name in names)) for flight in flights}
        self._seen = max((row[c.KNOWN] for row in weather), default=0)
        end = max((flight[c.SCHEDULED_DEPARTURE] for flight in flights), default=0)
        self._since = end - OPEN_DAYS * MINUTES_PER_DAY
        self._revived: dict[str, bytes] = {}

    def kept(self, items: dict[str, bytes], store: OnlineStore) -> dict[str, bytes]:
        """Return items with what is to be kept of those that they replace."""
        former = store.get_many(items)
        changed = dict(items)
        for key, old in former.items():
            if old != items[key]:
                changed[key] = self._kept(key, items[key], old)
        return changed

    def _kept(self, key: str, body: bytes, former: bytes) -> bytes:
        layout, mark, _ = self._read(key)
        if mark == "#" and layout.sums is not None:
            return carry_over_rows(layout.sums, body, former, self._is_new_day)
        found = carry_over_rows(layout.rows, body, former, self._is_untold)
        if found != body and layout.sums is not None:
            self._revived[key] = found
        return found

    def _is_untold(self, own: int) -> bool:
        due = due_minute(own)
        if due == own:  # an observation
            return own > self._seen
        return own not in self._told and due >= self._since

    def _is_new_day(self, day: int) -> bool:
        return day * MINUTES_PER_DAY >= self._since

    def add_up(self, store: OnlineStore) -> None:
        """Make the sums of what was kept follow from the rows; once all items are stored."""
        for key, body in self._revived.items():
            layout, _, stretch = self._read(key)
            block = stretch * layout.rows.span // (SUMS_DAYS * MINUTES_PER_DAY)
            where = key.partition("@")[0] + sums_suffix(block, SUMS_DAYS)
            sums = update_sums(layout, store.get_many([where]).get(where), [(stretch, body)])
            if sums is not None:
                store.put_many({where: sums})

    def _read(self, key: str) -> tuple[EntityLayout, str, int]:
        """Return the layout of a key's entity, `@` for rows or `#` for sums, and the stretch."""
        mark = "@" if "@" in key else "#"
        prefix, _, date = key.partition(mark)
        parts = () if prefix == "all" else tuple(p.partition("=")[0] for p in prefix.split("|"))
        layout = self._layouts[parts]
        day = dt.date.fromisoformat(date).toordinal() - _EPOCH
        return layout, mark, day * MINUTES_PER_DAY // layout.rows.span
