"""Builds the online items of all entity keys from silver tables, without Spark."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from features.arrays.arrow import MICROSECONDS_PER_MINUTE
from features.catalog import FEATURES
from features.declare import columns as c
from features.declare.declarations import (
    HORIZON_MIN,
    LOCAL_HOUR,
    MAX_WINDOW_DAYS,
    MINUTES_PER_DAY,
)
from features.declare.streams import MAX_EVENT_LAG_MIN
from features.online.day_sums import (
    DayRows,
    day_rows,
    sums_item,
)
from features.online.item_bytes import (
    Columns,
    encode,
    item_integers,
)
from features.online.item_keys import sums_suffix
from features.online.item_layout import SUMS_DAYS
from features.online.row_mapping import RowChange, RowMapper

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from features.declare.declarations import Feature
    from features.online.item_bytes import Row
    from features.online.item_layout import EntityLayout
    from features.online.row_mapping import Facts

OPEN_DAYS: Final = 4
"""Days after its scheduled departure in which an event can still change a flight."""

_LAG_DAYS: Final = MAX_EVENT_LAG_MIN // MINUTES_PER_DAY
DAYS_NEEDED: Final = SUMS_DAYS + OPEN_DAYS + _LAG_DAYS + 2
"""Days of silver that the items need besides the retained days: the whole time buckets that events
may still change, and the look-back windows before them."""


def online_items(
    flights: pa.Table,
    weather: pa.Table,
    *,
    retain_days: int,
    horizon_min: int = HORIZON_MIN,
    features: tuple[Feature, ...] = FEATURES,
    now: int | None = None,
) -> Iterator[tuple[str, bytes]]:
    """Yield key and encoded item for every entity key, as of the end of the data.

    Args:
        flights: Rows of silver_flights (`features.arrays.arrow.FLIGHT_COLUMNS`) of at least the
            last `retain_days + DAYS_NEEDED` days.
        weather: Rows of silver_weather (`features.arrays.arrow.WEATHER_COLUMNS`), likewise.
        retain_days: Days before the end of the data for which features can be looked up.
        horizon_min: Minutes from the prediction time to the scheduled departure.
        features: The declared features.
        now: The minute that it is: flights scheduled later do not move the end of the data; None:
            every flight does.
    """
    mapper = RowMapper(features, horizon_min=horizon_min)
    rows: list[dict[tuple[str, str], _Rows]] = [{} for _ in mapper.layouts]
    departures = _plain(flights[c.SCHEDULED_DEPARTURE])
    end = max((at for at in departures if now is None or at <= now), default=0)
    longest = max((x.rows.span for x in mapper.layouts if x.rows_read), default=0)
    whole_days = max(retain_days, OPEN_DAYS + 1) + _LAG_DAYS
    counted = end - whole_days * MINUTES_PER_DAY - 2 * longest
    summed = frozenset(x.rows.tracks[n].stream for x in mapper.layouts for n in x.summed)
    for facts in flight_facts(flights):
        only_summed = facts[c.SCHEDULED_DEPARTURE] < counted  # older than all rows of a look-up
        _add(rows, mapper, mapper.flight(facts, summed if only_summed else None))
    for facts in weather_facts(weather):
        _add(rows, mapper, mapper.weather(facts))
    since = end - retain_days * MINUTES_PER_DAY
    for layout, items in zip(mapper.layouts, rows, strict=True):
        yield from _items_of(layout, items, since, end)


def flight_facts(flights: pa.Table) -> Iterator[Facts]:
    """Yield each row of silver flights, with its local hour."""
    for facts in _facts(flights):
        local = facts[c.SCHEDULED_DEPARTURE] + facts[c.ORIGIN_OFFSET]
        facts[LOCAL_HOUR] = local % MINUTES_PER_DAY // 60
        yield facts


def weather_facts(weather: pa.Table) -> Iterator[Facts]:
    """Yield each row of silver weather."""
    return _facts(weather)


def _facts(table: pa.Table) -> Iterator[Facts]:
    columns = {name: _plain(table[name]) for name in table.column_names}
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _plain(column: pa.ChunkedArray) -> list[Any]:
    """Return the values of a column, instants in minutes since the epoch."""
    if not pa.types.is_timestamp(column.type):
        plain: list[Any] = column.to_pylist()
        return plain
    microseconds = column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    minutes: list[Any] = pc.divide(microseconds, MICROSECONDS_PER_MINUTE).to_pylist()
    return minutes


class _Rows:
    """The rows of one item by track, and its time bucket."""

    __slots__ = ("bucket", "tracks")

    def __init__(self, bucket: int, tracks: int) -> None:
        self.bucket = bucket
        self.tracks: list[list[Row]] = [[] for _ in range(tracks)]


def _add(
    rows: list[dict[tuple[str, str], _Rows]], mapper: RowMapper, changes: Iterable[RowChange]
) -> None:
    for change in changes:
        if change.row is None:
            continue
        items, where = rows[change.entity], (change.prefix, change.key)
        if where not in items:
            tracks = len(mapper.layouts[change.entity].rows.tracks)
            items[where] = _Rows(change.bucket, tracks)
        items[where].tracks[change.track].append(change.row)


def _items_of(
    layout: EntityLayout, items: dict[tuple[str, str], _Rows], since: int, end: int
) -> Iterator[tuple[str, bytes]]:
    span = layout.rows.span
    changing = end - (OPEN_DAYS + 1) * MINUTES_PER_DAY  # items that events may change stay whole
    rows_since = min(since - span, changing) if layout.rows_read else changing
    sums: dict[tuple[str, int], list[DayRows]] = defaultdict(list)
    for (prefix, key), rows in items.items():
        body = encode(
            layout.rows,
            [
                Columns(track, found).to_bytes()
                for track, found in zip(layout.rows.tracks, rows.tracks, strict=True)
            ],
        )
        if layout.sums is not None:
            block = rows.bucket * span // (SUMS_DAYS * MINUTES_PER_DAY)
            days = day_rows(layout, item_integers(layout.rows, body))
            if any(days):
                sums[prefix, block].append(days)
        if (rows.bucket + 1) * span > rows_since:
            yield key, body
    if layout.sums is None:
        return
    sums_since = since - (MAX_WINDOW_DAYS + 1) * MINUTES_PER_DAY
    for (prefix, block), parts in sums.items():
        if (block + 1) * SUMS_DAYS * MINUTES_PER_DAY > sums_since:
            yield prefix + sums_suffix(block, SUMS_DAYS), sums_item(layout.sums, parts)
