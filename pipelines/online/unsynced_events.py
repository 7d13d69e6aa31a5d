"""Unsynced events: rows of the online store that come from events and are not in silver yet.

Materializing replaces the items of the store by those computed from silver. The unsynced rows of
the replaced items are carried over into them.
"""

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
from serving.schema.clock import MS_PER_MINUTE, now_ms

if TYPE_CHECKING:
    from features.online.item_layout import EntityLayout
    from features.online.row_mapping import Facts
    from serving.stores.online.protocol import OnlineStore

_EPOCH: Final = dt.date(1970, 1, 1).toordinal()


def last_departure(flights: list[Facts], *, now: int) -> int:
    """Return the last minute, up to now, at which a flight was due to leave; 0 without flights."""
    return max((at for each in flights if (at := each[c.SCHEDULED_DEPARTURE]) <= now), default=0)


class UnsyncedEvents:
    """Carries rows of flights and observations over that silver does not have yet.

    Args:
        flights: The flights in silver.
        weather: The observations in silver.
        now: The minute that it is; None: by the clock.
    """

    def __init__(
        self, flights: list[Facts], weather: list[Facts], *, now: int | None = None
    ) -> None:
        now = now_ms() // MS_PER_MINUTE if now is None else now
        self._layouts = {layout.entity: layout for layout in layouts(FEATURES)}
        names = (c.SCHEDULED_DEPARTURE, c.FLIGHT_NUMBER, c.CARRIER)
        self._in_silver = {identity(*(flight[name] for name in names)) for flight in flights}
        self._newest_observation = max(
            (row[c.KNOWN] for row in weather if row[c.KNOWN] <= now), default=0
        )
        end = last_departure(flights, now=now)
        self._since = end - OPEN_DAYS * MINUTES_PER_DAY
        self._carried_over: dict[str, bytes] = {}

    def carry_over(self, items: dict[str, bytes], store: OnlineStore) -> dict[str, bytes]:
        """Return items with the unsynced rows of the stored items that they replace.

        Those that are stored like that already are left out.
        """
        former = store.get_many(items)
        changed = {key: body for key, body in items.items() if key not in former}
        for key, old in former.items():
            if old != items[key]:
                merged = self._merge(key, items[key], old)
                if merged != old:
                    changed[key] = merged
        return changed

    def update_sums(self, store: OnlineStore) -> None:
        """Compute the daily sums of carried-over rows; call it once all items are stored."""
        for key, body in self._carried_over.items():
            layout, _, bucket = self._read(key)
            block = bucket * layout.rows.span // (SUMS_DAYS * MINUTES_PER_DAY)
            where = key.partition("@")[0] + sums_suffix(block, SUMS_DAYS)
            sums = update_sums(layout, store.get_many([where]).get(where), [(bucket, body)])
            if sums is not None:
                store.put_many({where: sums})

    def _merge(self, key: str, body: bytes, former: bytes) -> bytes:
        layout, separator, _ = self._read(key)
        if separator == "#" and layout.sums is not None:
            return carry_over_rows(layout.sums, body, former, self._is_new_day)
        found = carry_over_rows(layout.rows, body, former, self._is_unsynced)
        if found != body and layout.sums is not None:
            self._carried_over[key] = found
        return found

    def _is_unsynced(self, own: int) -> bool:
        due = due_minute(own)
        if due == own:  # an observation
            return own > self._newest_observation
        return own not in self._in_silver and due >= self._since

    def _is_new_day(self, day: int) -> bool:
        return day * MINUTES_PER_DAY >= self._since

    def _read(self, key: str) -> tuple[EntityLayout, str, int]:
        """Return a key's entity layout, `@` for rows or `#` for sums, and its time bucket."""
        separator = "@" if "@" in key else "#"
        prefix, _, date = key.partition(separator)
        parts = () if prefix == "all" else tuple(p.partition("=")[0] for p in prefix.split("|"))
        layout = self._layouts[parts]
        day = dt.date.fromisoformat(date).toordinal() - _EPOCH
        return layout, separator, day * MINUTES_PER_DAY // layout.rows.span
