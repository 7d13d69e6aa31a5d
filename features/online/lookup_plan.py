"""From declarations to the plan of a look-up, once for each contract.

What the features of a contract read of the online items.

Inputs get slots; a feature is a function of slots. Instants are told by edges, which have numbers:
an anchor, minutes after it, and the stretches of time that items are cut into. Everything that a
request does not change is done once, by `features.online.lookup_plan`.

The plan of a look-up, written out as Python: no step of a prediction asks what the plan says.

Numbers of slots, columns and edges become constants of generated functions, one for the items of
each kind of each entity, and one that combines all slots to features. It is the innermost loop of
a prediction: positions are indexes into an item's integers, and nothing is taken apart.

In the generated code `e3` is the minute of edge 3 and `t3` the stretch of time it is in, `words` an
item, `count` the rows of a track, `minutes` where their minutes begin, and `s` the slots.
"""

from __future__ import annotations

import linecache
import math
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias

from features.arithmetic import same
from features.contract.feature_contract import selected
from features.declare.declarations import Days, Entity, Input, Latest, Minutes, Own, Standing, Sum
from features.declare.streams import COUNT, OVERDUE_FOR_MIN, STREAMS, is_instant, measure_of
from features.online.items import KNOWN_PREFIX, NULL, SUMS_DAYS, layouts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from features.declare.declarations import Entity, Feature, Window
    from features.online.items import EntityLayout, ItemLayout, TrackLayout

PREDICTION: Final = 0
DEPARTURE: Final = 1
AHEAD: Final = 2
"""The departure, or, when that is earlier, the end of the published schedule."""
TODAY: Final = 3
"""The day of the prediction, counted in days."""


class Edge(NamedTuple):
    """An instant that a request fixes.

    Attributes:
        anchor: What it is counted from.
        after: Minutes after the anchor (days after `TODAY`).
        span: Length of the stretches of time, in the same unit.
        ends: Whether it ends a window: then its stretch is that of the minute before it.
    """

    anchor: int
    after: int
    span: int
    ends: bool


class Total(NamedTuple):
    """A total over a window.

    Attributes:
        slot: Where the result goes.
        column: The measure's column of totals; None counts rows.
        instant: Whether the measure is an instant, kept as minutes after the stretch began.
    """

    slot: int
    column: int | None
    instant: bool


class LastValue(NamedTuple):
    """A value of the latest event before an edge.

    Attributes:
        slot: Where the result goes.
        column: The value's column; among the floats, if `is_float`.
        is_float: Whether the value is a float.
        known: The column that says from when the value is known, None when it always is.
    """

    slot: int
    column: int
    is_float: bool
    known: int | None


@dataclass
class TrackPlan:
    """What is read of one track.

    Attributes:
        header: Where an item tells the track's length; where it starts is told next.
        wide: How many of its columns have 64 bits; the first is the identity, if there is one.
        identified: Whether there is one.
        totals: How many columns of totals it has.
        span: Length of the stretches.
        news: The silver table whose news it tells, None when it tells none.
        windows: By the edge that ends them: the edges that begin windows, and their totals.
        standing: Totals over the intervals that are open at the prediction time; its ends are the
            next track.
        latest: By edge, and by the edge that it must not be before: values of the latest event.
    """

    header: int
    wide: int
    identified: bool
    totals: int
    span: int
    news: str | None = None
    windows: dict[int, dict[int, list[Total]]] = field(default_factory=dict)
    standing: list[Total] = field(default_factory=list)
    latest: dict[tuple[int, int], list[LastValue]] = field(default_factory=dict)


class Reader(Protocol):
    """Resolves the inputs that the items of one kind hold; generated."""

    def __call__(
        self,
        found: Mapping[int, memoryview],
        edges: Sequence[tuple[int, int]],
        at: int,
        s: list[float],
        newest: dict[str, int | None],
        /,
    ) -> None:
        """Put what is found into its slots.

        Args:
            found: The items that there are, as integers, by stretch.
            edges: The minute and the stretch of every edge of the plan.
            at: The instant of the prediction.
            s: The slots.
            newest: Gets the newest minute of each silver table.
        """


class Combine(Protocol):
    """Makes the features of slots; generated by `features.online.lookup_plan`."""

    def __call__(
        self, s: Sequence[float], parts: Mapping[str, object], /
    ) -> list[float | str | None]:
        """Return the value of every feature, NaN or None where it is missing.

        Raises:
            ZeroDivisionError: A feature divides by a plain `/`.
        """


class ItemPlan(NamedTuple):
    """What is read of the items of one kind of one entity.

    Attributes:
        entity: Number of the entity.
        layout: Layout of the items.
        reads: Number of the windows that are read, among the plan's.
        read: Resolves what is read of them.
    """

    entity: int
    layout: ItemLayout
    reads: int
    read: Reader


class Step(NamedTuple):
    """How a feature is made.

    Attributes:
        name: Its name.
        compute: Its function of slots; None: it is the slot itself, or a text.
        slots: The slots of its arguments; a text has none.
    """

    name: str
    compute: Callable[..., Any] | None
    slots: tuple[int, ...]


Reads: TypeAlias = tuple[tuple[int, int], ...]
"""Windows of time, each by the number of its first and of its last edge."""


@dataclass(frozen=True)
class Plan:
    """Everything about a contract's features that no request changes.

    Attributes:
        entities: The entities that are read.
        items: What is read of their items.
        edges: The edges, by number.
        reads: The windows that items are read for, each set once, and whether they are in days.
        slots: The value of every slot before anything is read.
        own: Slots of facts of the flight itself, by column.
        features: The features.
        combine: Makes all of them of the slots.
    """

    entities: tuple[Entity, ...]
    items: tuple[ItemPlan, ...]
    edges: tuple[Edge, ...]
    reads: tuple[tuple[Reads, bool], ...]
    slots: tuple[float, ...]
    own: tuple[tuple[int, str], ...]
    features: tuple[Step, ...]
    combine: Combine


_INDENT: Final = "    "


def reader_of(name: str, tracks: Iterable[TrackPlan]) -> Reader:
    """Return the function that resolves the inputs that the items of one kind hold.

    Args:
        name: Of the items, for tracebacks.
        tracks: What is read of them.
    """
    source = _Source()
    with source.block("def read(found, edges, at, s, newest):"):
        body = _Source(source.depth)
        edges: set[int] = set()
        for track in tracks:
            _windows(body, track, edges)
            _standing(body, track)
            _latest(body, track, edges)
            _news(body, track)
        for edge in sorted(edges):
            source.add(f"e{edge}, t{edge} = edges[{edge}]")
        source.lines += body.lines or [f"{_INDENT}pass"]
    return source.function("read", f"the items of {name}", {"bisect": bisect_left})  # type: ignore[no-any-return]


def combine_of(features: Iterable[Step]) -> Combine:
    """Return the function from slots, and facts of the flight, to all features in order."""
    source, names = _Source(), dict[str, object](text=text_of)
    with source.block("def combine(s, parts):"), source.block("return ["):
        for number, (name, compute, slots) in enumerate(features):
            values = ", ".join(f"s[{slot}]" for slot in slots)
            if compute is not None:
                names[f"f{number}"] = compute
                values = f"f{number}({values})"
            source.add(f"{values or f'text(parts[{name!r}])'},  # {name}")
        source.add("]")
    return source.function("combine", "the features", names)  # type: ignore[no-any-return]


def text_of(part: object) -> str | None:
    """Return a fact of the flight as a category."""
    return None if part is None else str(part)


class _Block:
    def __init__(self, source: _Source) -> None:
        self._source = source

    def __enter__(self) -> None:
        self._source.depth += 1

    def __exit__(self, *_: object) -> None:
        self._source.depth -= 1


class _Source:
    """Lines of Python, at a depth."""

    def __init__(self, depth: int = 0) -> None:
        self.depth = depth
        self.lines: list[str] = []

    def add(self, line: str) -> None:
        self.lines.append(_INDENT * self.depth + line)

    def block(self, head: str) -> _Block:
        self.add(head)
        return _Block(self)

    def function(self, name: str, about: str, names: dict[str, Any]) -> Any:  # noqa: ANN401 - as generated
        """Return a function of the source, which tracebacks and debuggers can show."""
        text, place = "\n".join((*self.lines, "")), f"<generated for {about}>"
        linecache.cache[place] = len(text), None, text.splitlines(keepends=True), place
        exec(compile(text, place, "exec"), names)  # noqa: S102 - made of the declarations alone
        return names[name]


def _windows(source: _Source, track: TrackPlan, edges: set[int]) -> None:
    """Totals over windows: two searches and a subtraction each."""
    for last, starts in track.windows.items():
        edges |= {last, *starts}
        source.add(f"words = found.get(t{last})")
        with source.block("if words is not None:"):
            _rows(source, track)
            source.add(f"high = bisect(words, e{last}, minutes, minutes + count)")
            for first, totals in starts.items():
                with source.block(f"if t{first} == t{last}:"):
                    source.add(f"low = bisect(words, e{first}, minutes, high)")
                with source.block("else:"):
                    source.add(f"low = minutes if t{first} < t{last} else high")
                _add_rows(source, track, totals, f"t{last}")
        for first, totals in starts.items():
            with source.block(f"for stretch in range(t{first}, t{last}):"):
                source.add("words = found.get(stretch)")
                with source.block("if words is not None:"):
                    _rows(source, track)
                    source.add("low, high = minutes, minutes + count")
                    with source.block(f"if stretch == t{first}:"):
                        source.add(f"low = bisect(words, e{first}, minutes, high)")
                    _add_rows(source, track, totals, "stretch")


def _rows(source: _Source, track: TrackPlan) -> None:
    """How many rows a track has, and where their minutes begin."""
    source.add(f"count = words[{track.header}]")
    wide = f" + {2 * track.wide} * count" if track.wide else ""
    source.add(f"minutes = words[{track.header + 1}]{wide}")


def _add_rows(source: _Source, track: TrackPlan, totals: list[Total], stretch: str) -> None:
    """Add the rows from `low` to `high` of an item of a stretch of time to their slots."""
    with source.block("if low != high:"):
        _add_totals(source, totals, "(high - low)", f"{track.span} * {stretch}")


def _add_totals(source: _Source, totals: Iterable[Total], rows: str, origin: str) -> None:
    """Add what lies between `low` and `high` to the slots; `origin` is added to each instant."""
    for slot, column, instant in totals:
        if column is None:
            source.add(f"s[{slot}] += {rows}")
            continue
        before = f" + {column} * (count + 1)" if column else ""
        source.add(f"totals = count{before}")
        begun = f" + {origin} * {rows}" if instant else ""
        source.add(f"s[{slot}] += words[totals + high] - words[totals + low]{begun}")


def _standing(source: _Source, track: TrackPlan) -> None:
    """Intervals end in the item in which they began, so those of other items do not matter."""
    if not track.standing:
        return
    first, last = f"(at - {OVERDUE_FOR_MIN}) // {track.span}", f"(at - 1) // {track.span}"
    with source.block(f"for stretch in range({first}, {last} + 1):"):
        source.add("words = found.get(stretch)")
        with source.block("if words is not None:"):
            _rows(source, track)
            source.add(f"ended = words[{track.header + 3}] + {2 * track.identified} * count")
            source.add("high = bisect(words, at, minutes, minutes + count)")
            source.add("low = bisect(words, at, ended, ended + count)")
            source.add("standing = (high - minutes) - (low - ended)")
            _add_totals(source, track.standing, "standing", f"{track.span} * stretch")


def _latest(source: _Source, track: TrackPlan, edges: set[int]) -> None:
    """Values of the latest row before an edge, unless it is before another one."""
    for (last, first), values in track.latest.items():
        edges |= {last, first}
        with source.block(f"for stretch in range(t{last}, t{first} - 1, -1):"):
            source.add("words = found.get(stretch)")
            with source.block("if words is not None:"):
                _rows(source, track)
                source.add(f"row = bisect(words, e{last}, minutes, minutes + count) - 1")
                with source.block("if row >= minutes:"):
                    with source.block(f"if words[row] >= e{first}:"):
                        for value in values:
                            _take(source, track, value)
                    source.add("break")


def _take(source: _Source, track: TrackPlan, value: LastValue) -> None:
    if value.is_float:
        column = track.identified + value.column
        place = f"words[{track.header + 1}] // 2 + {column} * count + row - minutes"
        source.add(f's[{value.slot}] = words.cast("B").cast("d")[{place}]')
        return
    integers = f"row + count + {track.totals} * (count + 1)"
    source.add(f"value = words[{integers} + {value.column} * count]")
    known = ""
    if value.known is not None:
        known = f" and {NULL} < words[{integers} + {value.known} * count] < at"
    with source.block(f"if value != {NULL}{known}:"):
        source.add(f"s[{value.slot}] = float(value)")


def _news(source: _Source, track: TrackPlan) -> None:
    """The newest minute before the instant at which something became known."""
    if track.news is None:
        return
    source.add(f"heard = newest.get({track.news!r})")
    with source.block("for words in found.values():"):
        _rows(source, track)
        source.add("row = bisect(words, at, minutes, minutes + count) - 1")
        with source.block("if row >= minutes and (heard is None or words[row] > heard):"):
            source.add("heard = words[row]")
    source.add(f"newest[{track.news!r}] = heard")


def plan_for(names: Iterable[str], features: tuple[Feature, ...]) -> Plan:
    """Return the plan for features by name, in order.

    Args:
        names: The features wanted.
        features: The declared features, which are what the items hold.

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
    _mark_news(planner.items, entities)
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
    """What is read of the items of one kind: number of the entity, layout, windows and tracks."""

    entity: int
    layout: ItemLayout
    reads: int
    tracks: list[TrackPlan]


def _compiled(item: _Item, entity: Entity) -> ItemPlan:
    name = "|".join(entity) or "all"
    return ItemPlan(item.entity, item.layout, item.reads, reader_of(name, item.tracks))


class _Planner:
    """Collects what is read, and numbers the edges."""

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
            assert not isinstance(item, Own)  # noqa: S101 - facts of the flight are in no item
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
            elif isinstance(item, Standing):
                plan.standing.append(_total(item, slot, track))
            else:
                totals = plan.windows.setdefault(last, {}).setdefault(first, [])
                totals.append(_total(item, slot, track))
        reads = tuple((self._number(f), self._number(e)) for f, e in _widest(windows)), in_days
        where = self.reads.setdefault(reads, len(self.reads))
        self.items.append(_Item(number, layout, where, list(tracks.values())))

    def _number(self, edge: Edge) -> int:
        return self.edges.setdefault(edge, len(self.edges))


def _total(item: Sum | Standing, slot: int, track: TrackLayout) -> Total:
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


def _window(item: Sum | Standing | Latest, span: int) -> tuple[Edge, Edge]:
    """Return the window of time that an input reads."""
    if isinstance(item, Latest):
        anchor = PREDICTION if item.anchor == "prediction" else DEPARTURE
        first = Edge(anchor, -item.ago_min - item.within_min, span, ends=False)
        return first, Edge(anchor, -item.ago_min, span, ends=True)
    if isinstance(item, Standing):
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


def _mark_news(items: list[_Item], entities: tuple[Entity, ...]) -> None:
    """Mark the tracks that tell until when a table's events are known: of its widest entity."""
    news = []
    for plan in items:
        for track in plan.tracks:
            layout = plan.layout.tracks[track.header // 2 - 1]
            stream = STREAMS[layout.stream]
            if layout.identified and not (stream.published or stream.until):
                news.append((len(entities[plan.entity]), stream.table, track))
    widest: dict[str, int] = {}
    for parts, table, _ in news:
        widest[table] = min(widest.get(table, parts), parts)
    for parts, table, track in news:
        if parts == widest[table]:
            track.news = table
