"""Plans a look-up: from the features of a contract to slots, edges and compiled item readers.

Each distinct input gets a slot, each distinct end of a window gets an edge number, and inputs that
the same items hold are read together. Everything that no request changes is done here, once for a
contract.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from features.arithmetic import same
from features.contract.feature_contract import selected
from features.declare.declarations import (
    Days,
    Entity,
    Input,
    Latest,
    Minutes,
    OpenIntervals,
    Own,
    Sum,
)
from features.declare.streams import COUNT, OVERDUE_FOR_MIN, STREAMS, is_instant, measure_of
from features.online.item_layout import KNOWN_PREFIX, SUMS_DAYS, layouts
from features.online.lookup_codegen import combine_of, reader_of
from features.online.lookup_plan import (
    AHEAD,
    DEPARTURE,
    PREDICTION,
    TODAY,
    Edge,
    ItemPlan,
    LastValue,
    Plan,
    Reads,
    Step,
    Total,
    TrackPlan,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from features.declare.declarations import Feature, Window
    from features.online.item_layout import EntityLayout, ItemLayout, TrackLayout


def plan_for(names: Iterable[str], features: tuple[Feature, ...]) -> Plan:
    """Return the plan for features by name, in order.

    Args:
        names: The features wanted.
        features: The declared features, from which the layouts of the items follow.

    Raises:
        ContractError: A name is not declared.
    """
    chosen = selected(names, features)
    slots: dict[Input, int] = {}
    for feature in chosen:
        for item in feature.inputs if feature.dtype != "string" else ():
            slots.setdefault(item, len(slots))
    by_entity: dict[Entity, dict[Input, int]] = defaultdict(dict)
    for item, slot in slots.items():
        if not isinstance(item, Own):
            by_entity[item.entity][item] = slot
    known = {layout.entity: layout for layout in layouts(features)}
    planner, entities = _Planner(), tuple(by_entity)
    for number, (entity, inputs) in enumerate(by_entity.items()):
        planner.add_entity(number, known[entity], inputs)
    _mark_freshness(planner.items, entities)
    steps = tuple(_step(feature, slots) for feature in chosen)
    return Plan(
        entities=entities,
        items=tuple(_compiled(item, entities[item.entity]) for item in planner.items),
        edges=tuple(planner.edges),
        reads=tuple(planner.reads),
        slots=tuple(math.nan if isinstance(i, Latest | Own) else 0.0 for i in slots),
        own=tuple((slot, item.column) for item, slot in slots.items() if isinstance(item, Own)),
        features=steps,
        combine=combine_of(steps),
    )


def _step(feature: Feature, slots: dict[Input, int]) -> Step:
    if feature.dtype == "string":
        return Step(feature.name, None, ())
    compute = None if feature.compute is same else feature.compute
    return Step(feature.name, compute, tuple(slots[item] for item in feature.inputs))


class _Item(NamedTuple):
    """The reads of the items of one kind: number of the entity, layout, windows, tracks."""

    entity: int
    layout: ItemLayout
    reads: int
    tracks: list[TrackPlan]


def _compiled(item: _Item, entity: Entity) -> ItemPlan:
    name = "|".join(entity) or "all"
    return ItemPlan(item.entity, item.layout, item.reads, reader_of(name, item.tracks))


class _Planner:
    """Collects what is read of the items, and numbers the edges."""

    def __init__(self) -> None:
        self.items: list[_Item] = []
        self.edges: dict[Edge, int] = {}
        self.reads: dict[tuple[Reads, bool], int] = {}

    def add_entity(self, number: int, layout: EntityLayout, inputs: dict[Input, int]) -> None:
        """Add what is read of one entity."""
        days = [i for i in inputs if isinstance(i, Sum) and isinstance(i.window, Days)]
        rows = [i for i in inputs if i not in days]
        for layout_of, chosen in ((layout.rows, rows), (layout.sums, days)):
            if layout_of is not None and chosen:
                self._add_item(number, layout_of, {i: inputs[i] for i in chosen}, layout_of.span)

    def _add_item(
        self, number: int, layout: ItemLayout, inputs: dict[Input, int], span: int
    ) -> None:
        tracks: dict[str, TrackPlan] = {}
        in_days = any(isinstance(i, Sum) and isinstance(i.window, Days) for i in inputs)
        span = SUMS_DAYS if in_days else span
        windows: list[tuple[Edge, Edge]] = []
        for item, slot in inputs.items():
            assert not isinstance(item, Own)  # noqa: S101 - no item holds a flight's own columns
            at, track = next(
                (n, t)
                for n, t in enumerate(layout.tracks)
                if t.stream == item.stream and not t.ends
            )
            wide = len(track.floats) + track.identified
            plan = tracks.setdefault(
                item.stream,
                TrackPlan(2 + 2 * at, wide, track.identified, len(track.totals), span),
            )
            windows.append(_window(item, span))
            first, last = map(self._number, windows[-1])
            if isinstance(item, Latest):
                plan.latest.setdefault((last, first), []).append(_last_value(item, slot, track))
            elif isinstance(item, OpenIntervals):
                plan.open_intervals.append(_total(item, slot, track))
            else:
                totals = plan.windows.setdefault(last, {}).setdefault(first, [])
                totals.append(_total(item, slot, track))
        reads = tuple((self._number(f), self._number(e)) for f, e in _widest(windows)), in_days
        where = self.reads.setdefault(reads, len(self.reads))
        self.items.append(_Item(number, layout, where, list(tracks.values())))

    def _number(self, edge: Edge) -> int:
        return self.edges.setdefault(edge, len(self.edges))


def _total(item: Sum | OpenIntervals, slot: int, track: TrackLayout) -> Total:
    if item.measure == COUNT and COUNT not in track.totals:
        return Total(slot, None, instant=False)
    stream = STREAMS[item.stream]
    instant = item.measure != COUNT and is_instant(measure_of(stream, item.measure))
    return Total(slot, track.totals.index(item.measure), instant)


def _last_value(item: Latest, slot: int, track: TrackLayout) -> LastValue:
    is_float = item.measure in track.floats
    column = (track.floats if is_float else track.integers).index(item.measure)
    known = KNOWN_PREFIX + item.measure
    known_at = track.integers.index(known) if known in track.integers else None
    return LastValue(slot, column, is_float, known_at)


def _window(item: Sum | OpenIntervals | Latest, span: int) -> tuple[Edge, Edge]:
    """Return the window that an input reads, as its first and last edge."""
    if isinstance(item, Latest):
        anchor = PREDICTION if item.anchor == "prediction" else DEPARTURE
        first = Edge(anchor, -item.ago_min - item.within_min, span, ends=False)
        return first, Edge(anchor, -item.ago_min, span, ends=True)
    if isinstance(item, OpenIntervals):
        first = Edge(PREDICTION, -OVERDUE_FOR_MIN, span, ends=False)
        return first, Edge(PREDICTION, 0, span, ends=True)
    return _edges(item.window, span)


def _edges(window: Window, span: int) -> tuple[Edge, Edge]:
    match window:
        case Minutes():
            anchor = PREDICTION if window.anchor == "prediction" else DEPARTURE
            first = Edge(anchor, -window.before, span, ends=False)
            return first, Edge(anchor, window.after, span, ends=True)
        case Days():
            first = Edge(TODAY, -window.count, span, ends=False)
            return first, Edge(TODAY, 0, span, ends=True)
        case _:
            return Edge(PREDICTION, 0, span, ends=False), Edge(AHEAD, 0, span, ends=True)


def _widest(windows: list[tuple[Edge, Edge]]) -> list[tuple[Edge, Edge]]:
    """Return one window for each pair of anchors, as wide as the widest."""
    by_anchors: dict[tuple[int, int], list[tuple[Edge, Edge]]] = defaultdict(list)
    for first, last in windows:
        by_anchors[first.anchor, last.anchor].append((first, last))
    return [
        (min(first for first, _ in pairs), max(last for _, last in pairs))
        for pairs in by_anchors.values()
    ]


def _mark_freshness(items: list[_Item], entities: tuple[Entity, ...]) -> None:
    """Mark the tracks that give the newest known-at minute of a table: of its widest entity."""
    candidates = []
    for plan in items:
        for track in plan.tracks:
            layout = plan.layout.tracks[track.header // 2 - 1]
            stream = STREAMS[layout.stream]
            if layout.identified and not (stream.published or stream.until):
                candidates.append((len(entities[plan.entity]), stream.table, track))
    widest: dict[str, int] = {}
    for parts, table, _ in candidates:
        widest[table] = min(widest.get(table, parts), parts)
    for parts, table, track in candidates:
        if parts == widest[table]:
            track.freshness_of = table
