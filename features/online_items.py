"""From silver to the items that online features are read from, without Spark."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from features import columns as c
from features.arrow import FLIGHT_TEXTS, to_events
from features.catalog import FEATURES
from features.declarations import (
    LOCAL_HOUR,
    MAX_WINDOW_DAYS,
    MAX_WINDOW_MIN,
    MINUTES_PER_DAY,
    Days,
    Entity,
    Latest,
    Own,
    Standing,
)
from features.events import (
    Events,
    Ints,
    closing_minutes,
    entity_codes,
    event_minutes,
    measured_floats,
    summed,
    to_floats,
)
from features.items import Item, Track, encode
from features.kernel import in_order
from features.online import entities, key_of
from features.search import EventIndex, Positions, running_totals
from features.streams import STREAMS, Stream, measure_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from features.declarations import Feature

DAYS_NEEDED: Final = MAX_WINDOW_DAYS + MAX_WINDOW_MIN // MINUTES_PER_DAY + 4
"""Days of silver that the items need besides the days they are retained for."""


@dataclass
class _Needs:
    """Which measures of one stream the features of one entity read, and how."""

    totals: dict[str, None] = field(default_factory=dict)  # keys in order: equal items, equal bytes
    values: dict[str, None] = field(default_factory=dict)
    days: dict[str, None] = field(default_factory=dict)


def online_items(
    flights: pa.Table,
    weather: pa.Table,
    *,
    retain_days: int,
    features: tuple[Feature, ...] = FEATURES,
) -> Iterator[tuple[str, bytes]]:
    """Return the item of every entity key, encoded, as of the end of the data.

    Args:
        flights: Rows of silver_flights (`features.arrow.FLIGHT_COLUMNS`): at least those of the
            last `retain_days + DAYS_NEEDED` days.
        weather: Rows of silver_weather (`features.arrow.WEATHER_COLUMNS`), likewise.
        retain_days: For how many days before the end features can be asked for.
        features: The declared features.
    """
    flight_events, weather_events, order = in_order(*to_events(flights, weather))
    tables = {"flights": flight_events, "weather": weather_events}
    parts = {name: flights[name].take(order).to_pylist() for name in FLIGHT_TEXTS}
    parts[c.FLIGHT_NUMBER] = tables["flights"].integers[c.FLIGHT_NUMBER].tolist()
    parts[LOCAL_HOUR] = tables["flights"].codes[LOCAL_HOUR].tolist()
    end = int(tables["flights"].integers[c.SCHEDULED_DEPARTURE].max(initial=0))
    since = end - retain_days * MINUTES_PER_DAY - MAX_WINDOW_MIN
    for entity in entities(features):
        yield from _items_of(entity, _needs(entity, features), tables, parts, since)


def _items_of(
    entity: Entity,
    needed: Mapping[str, _Needs],
    tables: Mapping[str, Events],
    parts: Mapping[str, list[str]],
    since: int,
) -> Iterator[tuple[str, bytes]]:
    flight_codes = entity_codes(tables["flights"], entity)
    items: dict[int, Item] = defaultdict(lambda: Item({}, {}, {}))
    for name, needs in needed.items():
        stream = STREAMS[name]
        table = tables[stream.table]
        codes = flight_codes if stream.table == "flights" else table.codes[c.AIRPORT]
        view = _View(stream, table, needs, since)
        for code, rows in _by_key(codes, event_minutes(stream, table)):
            item = items[code]
            item.tracks[name] = view.track(rows)
            if needs.days:
                item.days[name] = view.days(rows)
            if stream.until:
                item.closings[name] = view.closings(rows)
    known, first_rows = np.unique(flight_codes, return_index=True)
    for code, row in zip(known.tolist(), first_rows.tolist(), strict=True):
        key = key_of(entity, {part: parts[part][row] for part in entity})
        if key is not None and code in items:
            yield key, encode(items[code])


def _needs(entity: Entity, features: tuple[Feature, ...]) -> dict[str, _Needs]:
    needs: dict[str, _Needs] = defaultdict(_Needs)
    for feature in features:
        for item in feature.inputs:
            if isinstance(item, Own) or item.entity != entity:
                continue
            need = needs[item.stream]
            if isinstance(item, Latest):
                need.values[item.measure] = None
            elif isinstance(item, Standing) or not isinstance(item.window, Days):
                need.totals[item.measure] = None
            else:
                need.days[item.measure] = None
    return needs


def _by_key(codes: Ints, minutes: Ints) -> Iterator[tuple[int, Positions]]:
    """Return the rows of each key in time order."""
    rows = EventIndex.of(codes, minutes).rows
    sorted_codes = codes[rows]
    starts = np.flatnonzero(np.diff(sorted_codes, prepend=-1))
    groups = np.split(rows, starts[1:]) if len(starts) else []
    yield from zip(sorted_codes[starts].tolist(), groups, strict=True)


class _View:
    """One stream as the items of one entity hold it.

    Args:
        stream: The stream.
        table: The table it is a view of.
        needs: The measures that are read.
        since: The first minute that items retain.
    """

    def __init__(self, stream: Stream, table: Events, needs: _Needs, since: int) -> None:
        self._needs = needs
        self._since = since
        self._minutes = event_minutes(stream, table)
        self._closing = closing_minutes(stream, table) if stream.until else None
        self._integers = {name: summed(stream, name, table) for name in needs.totals | needs.days}
        measures = {name: measure_of(stream, name) for name in needs.values}
        self._values = {name: measured_floats(m, table) for name, m in measures.items()}
        self._known = {
            name: to_floats(table.integers[measure.known_at])
            for name, measure in measures.items()
            if measure.known_at is not None
        }

    def track(self, rows: Positions) -> Track:
        """Return the retained events among one key's rows."""
        return self._track(rows[self._minutes[rows] >= self._since], self._minutes)

    def closings(self, rows: Positions) -> Track:
        """Return the ends of the retained intervals among one key's rows."""
        if self._closing is None:
            raise ValueError("a stream without intervals has no closings")
        retained = rows[self._minutes[rows] >= self._since]
        by_end = retained[np.argsort(self._closing[retained], kind="stable")]
        return self._track(by_end, self._closing)

    def days(self, rows: Positions) -> dict[str, dict[int, int]]:
        """Return the totals by day of one key's rows, for the days that a window can reach."""
        days = self._minutes[rows] // MINUTES_PER_DAY
        reached = days >= self._since // MINUTES_PER_DAY - MAX_WINDOW_DAYS
        rows, days = rows[reached], days[reached]
        starts = np.flatnonzero(np.diff(days, prepend=-1))
        return {
            name: dict(
                zip(
                    days[starts].tolist(),
                    np.add.reduceat(self._integers[name][rows], starts).tolist(),
                    strict=True,
                )
            )
            for name in self._needs.days
            if len(rows)
        }

    def _track(self, rows: Positions, minutes: Ints) -> Track:
        totals = {name: running_totals(self._integers[name][rows]) for name in self._needs.totals}
        return Track(
            minutes=minutes[rows].data,
            totals={name: total.data for name, total in totals.items()},
            values={name: values[rows].data for name, values in self._values.items()},
            known={name: known[rows].data for name, known in self._known.items()},
        )
