"""Applies events to the online state: the event set of each flight, then the items derived from it.

Three kinds of items derive from each other: the event set of a flight, the rows of its entity keys,
and their daily sums. Each is written by compare-and-swap, and its source is read *after* the item
itself. So the last writer of an item has seen everything, and any number of workers, redeliveries
and crashes end in the same bytes.
"""

from __future__ import annotations

import logging
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
    MS_PER_MINUTE,
    Event,
    EventSetError,
    Observed,
    decode_events,
    due_at,
    known_minute,
    merge_events,
    subject_key,
)
from features.online.item_keys import rows_suffix
from features.online.item_updates import upsert_rows
from features.online.row_mapping import RowChange, RowMapper
from serving.schema.clock import iso_minute, now_ms
from serving.stores.errors import ConflictError
from serving.telemetry.logs import log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from features.declare.declarations import Feature
    from features.online.item_layout import EntityLayout
    from serving.stores.online.protocol import OnlineItem, OnlineItems, OnlineStore

OPEN_DAYS: Final = 4
"""Days after a flight was due in which events about it are still accepted."""

_OPEN_MIN: Final = OPEN_DAYS * MINUTES_PER_DAY
_TRIES: Final = 20
_WATERMARK_STEP_MIN: Final = 60
_AHEAD_MIN: Final = 60
_DAYS_AT_ONCE: Final = 400
_OLDEST_DAYS: Final = 20_000
STATE_KEY: Final = "state"


class Watermark(msgspec.Struct, frozen=True):
    """The progress of the online state; one item of the store.

    Attributes:
        newest: The newest known-at minute of an event, rounded to the hour. Events about flights
            of more than `OPEN_DAYS` before it are too late.
        horizon_min: The horizon for which the pipeline filled the store.
        filled: The newest known-at minute in the tables when the pipeline filled the store; 0: not
            known.
    """

    newest: int = 0
    horizon_min: int = HORIZON_MIN
    filled: int = 0

    def is_ahead(self, now: int) -> bool:
        """Return whether it is later than the minute that it is now: then it is wrong."""
        return self.newest > now + _AHEAD_MIN

    def advanced(self, newest: int, *, most: int = _OPEN_MIN) -> int:
        """Return where an event moves it: forward only, and not at all by more than `most` minutes.

        So a single event, however wrong, makes no event of others too late. A mark that stays
        behind does no harm: the state accepts older events, and is whole since `filled`.
        """
        return (
            max(self.newest, newest)
            if newest <= self.newest + most or not self.newest
            else (self.newest)
        )


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
        clock: Milliseconds since the epoch.
    """

    def __init__(
        self,
        store: OnlineStore,
        *,
        features: tuple[Feature, ...] = FEATURES,
        open_days: int = OPEN_DAYS,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._store = store
        self._clock = clock
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

    def check(self) -> None:
        """Read from the store.

        Raises:
            StoreError: It cannot be read.
        """
        read_watermark(self._store)

    def _in_time(self, events: Sequence[Event], applied: Applied) -> dict[str, list[Event]]:
        """Return the events that are not too late, by subject, and advance the watermark."""
        watermark = read_watermark(self._store)
        if watermark.is_ahead(self._clock() // MS_PER_MINUTE):
            watermark = heal_watermark(self._store, self._clock() // MS_PER_MINUTE)
        newest = watermark.newest
        for known in sorted(map(known_minute, events)):
            newest = msgspec.structs.replace(watermark, newest=newest).advanced(
                known, most=self._open_min
            )
        if newest >= watermark.newest + _WATERMARK_STEP_MIN:
            advance_watermark(self._store, newest)
        if watermark.horizon_min != self._row_mapper.horizon_min:
            self._row_mapper = RowMapper(self._features, horizon_min=watermark.horizon_min)
        oldest = newest - self._open_min
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
    return _decoded(store.read_many([STATE_KEY]).get(STATE_KEY))


def newest_event(items: OnlineItems) -> int:
    """Return the newest known-at minute of an event, rounded to the hour; 0 before the first.

    Raises:
        StoreError: The items cannot be read.
    """
    body = items.get_many([STATE_KEY]).get(STATE_KEY)
    return 0 if body is None else msgspec.msgpack.decode(body, type=Watermark).newest


def advance_watermark(store: OnlineStore, newest: int) -> None:
    """Advance the watermark to a minute; never moves it back.

    Args:
        store: Where the state is.
        newest: The known-at minute.
    """
    _change_watermark(
        store, lambda mark: msgspec.structs.replace(mark, newest=max(mark.newest, newest))
    )


def fill_watermark(store: OnlineStore, newest: int, *, horizon_min: int, now: int) -> Watermark:
    """Set the watermark when the pipeline fills the store; return the one before.

    It moves back where it was wrong: later than now, or so far ahead of the tables that no event
    could have moved it there.

    Args:
        store: Where the state is.
        newest: The newest known-at minute in the tables.
        horizon_min: The horizon for which the store is filled.
        now: The minute that it is.
    """

    def filled(mark: Watermark) -> Watermark:
        wrong = mark.is_ahead(now) or (mark.newest > newest + _OPEN_MIN)
        kept = newest if wrong else max(mark.newest, newest)
        return Watermark(kept, horizon_min, newest)

    return _change_watermark(store, filled)


def heal_watermark(store: OnlineStore, now: int) -> Watermark:
    """Set a watermark that is later than now back, and return it.

    It goes back to where the pipeline left it; in a store that an earlier version filled, to the
    last day that has flights; without any, to 0.

    Args:
        store: Where the state is.
        now: The minute that it is.
    """
    before = read_watermark(store)
    if not before.is_ahead(now):
        return before
    newest = before.filled or _last_minute_with_flights(store, now)
    log(
        logging.WARNING,
        "watermark_healed",
        ahead_minutes=before.newest - now,
        newest=iso_minute(newest),
    )
    _change_watermark(
        store,
        lambda mark: msgspec.structs.replace(mark, newest=newest) if mark.is_ahead(now) else mark,
    )
    return read_watermark(store)


def _last_minute_with_flights(store: OnlineStore, now: int) -> int:
    """Return the last minute, up to now, of the last day with flights; 0 if there is none."""
    last, oldest = now // MINUTES_PER_DAY, (now // MINUTES_PER_DAY) - _OLDEST_DAYS
    for until in range(last, oldest, -_DAYS_AT_ONCE):
        days = {
            f"all{rows_suffix(day, MINUTES_PER_DAY)}": day
            for day in range(until, until - _DAYS_AT_ONCE, -1)
        }
        if found := store.get_many(days):
            newest = max(days[key] for key in found)
            return min(now, (newest + 1) * MINUTES_PER_DAY - 1)
    return 0


def _change_watermark(store: OnlineStore, change: Callable[[Watermark], Watermark]) -> Watermark:
    """Replace the watermark by compare-and-swap; return the one before."""
    while True:
        found = store.read_many([STATE_KEY]).get(STATE_KEY)
        before = _decoded(found)
        after = change(before)
        if found is not None and after == before:
            return before
        body = msgspec.msgpack.encode(after)
        if not store.replace_many({STATE_KEY: (body, found.tag if found else None)}):
            return before


def _decoded(item: OnlineItem | None) -> Watermark:
    return Watermark() if item is None else msgspec.msgpack.decode(item.body, type=Watermark)
