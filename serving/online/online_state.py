"""Applies events to the online state: the event set of each flight, then the items derived from it.

Three kinds of items derive from each other: the event set of a flight, the rows of its entity keys,
and their daily sums. Each is written by compare-and-swap, and its source is read *after* the item
itself. So the last writer of an item has seen everything, and any number of workers, redeliveries
and crashes end in the same bytes.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from features.catalog import FEATURES
from features.declare.declarations import HORIZON_MIN, MINUTES_PER_DAY
from features.online.day_sums import sums_key, update_sums
from features.online.event_resolution import (
    affected_streams,
    resolve_flight,
    resolve_observation,
    superseded_flights,
)
from features.online.flight_events import (
    Event,
    EventSetError,
    Observed,
    decode_events,
    due_at,
    known_minute,
    merge_events,
    subject_key,
)
from features.online.item_updates import upsert_rows
from features.online.row_mapping import RowChange, RowMapper
from serving.stores.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from features.declare.declarations import Feature
    from features.online.item_layout import EntityLayout
    from serving.stores.online.protocol import OnlineItem, OnlineItems, OnlineStore

OPEN_DAYS: Final = 4
"""Days after a flight was due in which events about it are still accepted."""

_TRIES: Final = 20
_WATERMARK_STEP_MIN: Final = 60
STATE_KEY: Final = "state"


class Watermark(msgspec.Struct, frozen=True):
    """The progress of the online state; one item of the store.

    Attributes:
        newest: The newest known-at minute of an event, rounded to the hour.
        horizon_min: The horizon for which the pipeline filled the store.
    """

    newest: int = 0
    horizon_min: int = HORIZON_MIN


@dataclass
class Applied:
    """The outcome of applying events.

    Attributes:
        applied: Number of events in the state, duplicates included.
        too_late: Events that arrived more than `OPEN_DAYS` after their flight was due.
        refused: Events that contradict others, each with the reason.
    """

    applied: int = 0
    too_late: list[Event] = field(default_factory=list)
    refused: list[tuple[Event, str]] = field(default_factory=list)


class OnlineState:
    """Applies events to an online store; several workers may share one store.

    Args:
        store: The store.
        features: The declared features; they determine the items.
        open_days: See `OPEN_DAYS`.
    """

    def __init__(
        self,
        store: OnlineStore,
        *,
        features: tuple[Feature, ...] = FEATURES,
        open_days: int = OPEN_DAYS,
    ) -> None:
        self._store = store
        self._features = features
        self._row_mapper = RowMapper(features)
        self._open_min = open_days * MINUTES_PER_DAY

    def apply(self, events: Sequence[Event]) -> Applied:
        """Apply the events; idempotent.

        Raises:
            StoreError: The store cannot be used; apply the events again.
            ItemError: An item was written by other code: the pipeline has to rewrite it.
        """
        applied = Applied()
        by_subject = self._in_time(events, applied)
        self._merge_event_sets(by_subject, applied)
        applied.applied = sum(map(len, by_subject.values()))
        row_changes = self._update_rows(by_subject)
        self._update_sums(row_changes)
        return applied

    def _in_time(self, events: Sequence[Event], applied: Applied) -> dict[str, list[Event]]:
        """Return the events that are not too late, by subject, and advance the watermark."""
        watermark = read_watermark(self._store)
        newest = max(map(known_minute, events), default=0)
        if newest >= watermark.newest + _WATERMARK_STEP_MIN:
            advance_watermark(self._store, newest)
        if watermark.horizon_min != self._row_mapper.horizon_min:
            self._row_mapper = RowMapper(self._features, horizon_min=watermark.horizon_min)
        oldest = max(watermark.newest, newest) - self._open_min
        by_subject: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            if due_at(event) < oldest:
                applied.too_late.append(event)
            else:
                by_subject[subject_key(event)].append(event)
        return by_subject

    def _merge_event_sets(
        self, by_subject: dict[str, list[Event]], applied: Applied
    ) -> dict[str, bytes]:
        """Merge the events into the event sets of their subjects, and return these."""

        def change(found: Mapping[str, OnlineItem]) -> dict[str, bytes]:
            bodies = {}
            for subject, events in list(by_subject.items()):
                item = found.get(subject)
                try:
                    bodies[subject] = merge_events(None if item is None else item.body, events)
                except EventSetError as error:
                    applied.refused += [(event, str(error)) for event in events]
                    del by_subject[subject]
            return bodies

        return self._swap(list(by_subject), change)

    def _update_rows(self, by_subject: Mapping[str, list[Event]]) -> list[RowChange]:
        """Upsert the rows derived from the event sets into their items."""
        row_changes: list[RowChange] = []
        bodies: dict[str, bytes] = {}

        def derive() -> dict[str, list[RowChange]]:
            """Read the event sets, and return the rows derived from them, by item."""
            items = self._store.read_many(by_subject)
            now = {key: item.body for key, item in items.items()}
            if now != bodies:
                bodies.clear()
                bodies.update(now)
                row_changes[:] = self._row_changes(now, by_subject)
            by_key: dict[str, list[RowChange]] = defaultdict(list)
            for row_change in row_changes:
                by_key[row_change.key].append(row_change)
            return by_key

        def change(found: Mapping[str, OnlineItem]) -> dict[str, bytes]:
            by_key = derive()
            return {
                key: upsert_rows(
                    self._row_mapper.layouts[by_key[key][0].entity].rows,
                    found[key].body if key in found else None,
                    by_key[key],
                )
                for key in keys
                if key in found or any(row_change.row is not None for row_change in by_key[key])
            }

        keys = list(derive())
        self._swap(keys, change)
        return row_changes

    def _row_changes(
        self, bodies: Mapping[str, bytes], by_subject: Mapping[str, list[Event]]
    ) -> list[RowChange]:
        """Return the rows of subjects, and tombstones of those that a correction removed."""
        changes: list[RowChange] = []
        for subject, body in bodies.items():
            events = decode_events(body)
            if isinstance(events[0], Observed):
                changes += self._row_mapper.weather(resolve_observation(events))
                continue
            facts = resolve_flight(events)
            if facts is None:
                continue
            past = list(superseded_flights(events))
            streams = None if past else affected_streams(by_subject[subject])
            wanted = list(self._row_mapper.flight(facts, streams))
            current = {(p.key, p.track, p.row_id) for p in wanted}
            changes += wanted
            for then in past:
                deleted = [p._replace(row=None) for p in self._row_mapper.flight(then)]
                changes += [p for p in deleted if (p.key, p.track, p.row_id) not in current]
        return changes

    def _update_sums(self, row_changes: Iterable[RowChange]) -> None:
        """Make the sums follow from the rows."""
        sums: dict[str, tuple[EntityLayout, dict[str, int]]] = {}
        for row_change in row_changes:
            layout = self._row_mapper.layouts[row_change.entity]
            if layout.sums is not None and row_change.track in layout.summed:
                key = sums_key(row_change, layout)
                sums.setdefault(key, (layout, {}))[1][row_change.key] = row_change.bucket

        def change(found: Mapping[str, OnlineItem]) -> dict[str, bytes]:
            rows = self._store.read_many({key for _, items in sums.values() for key in items})
            changed = {}
            for key, (layout, items) in sums.items():
                there = [(at, rows[item].body) for item, at in items.items() if item in rows]
                body = update_sums(layout, found[key].body if key in found else None, there)
                if body is not None:
                    changed[key] = body
            return changed

        self._swap(list(sums), change)

    def _swap(
        self, keys: list[str], change: Callable[[Mapping[str, OnlineItem]], dict[str, bytes]]
    ) -> dict[str, bytes]:
        """Update items by compare-and-swap, with retries; return their bodies."""
        done: dict[str, bytes] = {}
        for _ in range(_TRIES):
            if not keys:
                return done
            found = self._store.read_many(keys)
            wanted = change(found)
            changes = {
                key: (body, found[key].tag if key in found else None)
                for key, body in wanted.items()
                if key in keys and (key not in found or found[key].body != body)
            }
            lost = self._store.replace_many(changes) if changes else set()
            done |= {key: body for key, body in wanted.items() if key not in lost}
            keys = list(lost)
        raise ConflictError(
            f"{len(keys)} online items (such as {keys[0]}) changed {_TRIES} times while events "
            "were applied: have fewer workers apply events; these are delivered again."
        )


def read_watermark(store: OnlineStore) -> Watermark:
    """Return the watermark.

    Raises:
        StoreError: The store cannot be read.
    """
    found = store.read_many([STATE_KEY]).get(STATE_KEY)
    return Watermark() if found is None else msgspec.msgpack.decode(found.body, type=Watermark)


def newest_event(items: OnlineItems) -> int:
    """Return the newest known-at minute of an event, rounded to the hour; 0 before the first.

    Raises:
        StoreError: The items cannot be read.
    """
    body = items.get_many([STATE_KEY]).get(STATE_KEY)
    return 0 if body is None else msgspec.msgpack.decode(body, type=Watermark).newest


def advance_watermark(store: OnlineStore, newest: int, *, horizon_min: int | None = None) -> None:
    """Advance the watermark to a minute; never moves it back.

    Args:
        store: Where the state is.
        newest: The known-at minute.
        horizon_min: The horizon, when the pipeline fills the store.
    """
    while True:
        found = store.read_many([STATE_KEY]).get(STATE_KEY)
        watermark = (
            Watermark() if found is None else msgspec.msgpack.decode(found.body, type=Watermark)
        )
        horizon = watermark.horizon_min if horizon_min is None else horizon_min
        moved = Watermark(max(watermark.newest, newest), horizon)
        if found is not None and moved == watermark:
            return
        body = msgspec.msgpack.encode(moved)
        if not store.replace_many({STATE_KEY: (body, found.tag if found else None)}):
            return
