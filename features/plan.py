"""What the features of a contract read of the online items.

Inputs get slots; a feature is a function of slots. Instants are told by edges, which have numbers:
an anchor, minutes after it, and the stretches of time that items are cut into. Everything that a
request does not change is done once, by `features.planning`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from features.declarations import Entity
    from features.layout import ItemLayout

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


@dataclass
class ItemPlan:
    """What is read of the items of one kind of one entity.

    Attributes:
        entity: Number of the entity.
        layout: Layout of the items.
        tracks: What is read of each track that is read.
        reads: Number of the windows that are read, among the plan's.
    """

    entity: int
    layout: ItemLayout
    tracks: list[TrackPlan]
    reads: int


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
        features: For each feature its name, its function, and the slots of its arguments; without
            a function it is the slot itself, and a category without slots.
    """

    entities: tuple[Entity, ...]
    items: tuple[ItemPlan, ...]
    edges: tuple[Edge, ...]
    reads: tuple[tuple[Reads, bool], ...]
    slots: tuple[float, ...]
    own: tuple[tuple[int, str], ...]
    features: tuple[tuple[str, Callable[..., Any] | None, tuple[int, ...]], ...]
