"""The plan of a look-up: what the features of a contract read of the online items.

Each input of a feature has a slot, and a feature is a function of slots. Window ends are edges: an
anchor, an offset from it and the length of the time buckets that items are cut into. The plan is
built once for a contract (`features.online.lookup_planner`) and shared by all requests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from features.declare.declarations import Entity
    from features.online.item_layout import ItemLayout


PREDICTION: Final = 0
DEPARTURE: Final = 1
AHEAD: Final = 2
"""The departure, or, when that is earlier, the end of the published schedule."""

TODAY: Final = 3
"""The day of the prediction, counted in days."""


class Edge(NamedTuple):
    """The start or end of a window, relative to an instant of the request.

    Attributes:
        anchor: The instant that it is relative to.
        after: Minutes after the anchor (days after `TODAY`).
        span: Length of the time buckets, in the same unit.
        ends: Whether it ends a window: then its bucket is that of the minute before it.
    """

    anchor: int
    after: int
    span: int
    ends: bool


class Total(NamedTuple):
    """A total over a window: one running total at its end less one at its start.

    Attributes:
        slot: The slot of the result.
        column: The measure's column of totals; None counts rows.
        instant: Whether the measure is an instant, stored as minutes since the start of the bucket.
    """

    slot: int
    column: int | None
    instant: bool


class LastValue(NamedTuple):
    """A value of the latest event before an edge.

    Attributes:
        slot: The slot of the result.
        column: The value's column, among the floats if `is_float`, else among the integers.
        is_float: Whether the value is a float.
        known: Column of the minute from which the value is known, None if it always is.
    """

    slot: int
    column: int
    is_float: bool
    known: int | None


@dataclass
class TrackPlan:
    """The reads of one track.

    Attributes:
        header: Position of the track's length in the item's header; its start offset is next.
        wide: Number of its 64-bit columns; the first holds the row ids, if there are any.
        identified: Whether rows have row ids.
        totals: Number of its columns of totals.
        span: Length of the time buckets.
        freshness_of: The silver table whose newest known-at minute it gives, None if it gives none.
        windows: Totals over windows, by the edge that ends and the edge that starts them.
        open_intervals: Totals over the intervals that are open at the prediction time; the next
            track holds their ends.
        latest: Values of the latest event, by the edge before which and the edge from which it is.
    """

    header: int
    wide: int
    identified: bool
    totals: int
    span: int
    freshness_of: str | None = None
    windows: dict[int, dict[int, list[Total]]] = field(default_factory=dict)
    open_intervals: list[Total] = field(default_factory=list)
    latest: dict[tuple[int, int], list[LastValue]] = field(default_factory=dict)


class Reader(Protocol):
    """A generated function that resolves the inputs which the items of one kind hold."""

    def __call__(
        self,
        found: Mapping[int, memoryview],
        edges: Sequence[tuple[int, int]],
        at: int,
        s: list[float],
        newest: dict[str, int | None],
        /,
    ) -> None:
        """Write the resolved inputs to their slots.

        Args:
            found: The integers of the items that exist, by time bucket.
            edges: The minute and the time bucket of every edge of the plan.
            at: The instant of the prediction.
            s: The slots, which are written.
            newest: The newest known-at minute by silver table, which is written.
        """


class Combine(Protocol):
    """A generated function that computes the features from the slots."""

    def __call__(
        self, s: Sequence[float], parts: Mapping[str, object], /
    ) -> list[float | str | None]:
        """Return the value of every feature, NaN or None where it is missing.

        Raises:
            ZeroDivisionError: A feature divides by a plain `/`.
        """


class ItemPlan(NamedTuple):
    """The reads of the items of one kind of one entity.

    Attributes:
        entity: Number of the entity.
        layout: Layout of the items.
        reads: Index of the windows that are read, in the plan's `reads`.
        read: Resolves the inputs that the items hold.
    """

    entity: int
    layout: ItemLayout
    reads: int
    read: Reader


class Step(NamedTuple):
    """The computation of a feature.

    Attributes:
        name: Its name.
        compute: Its function of slots; None: it is the slot itself, or a category.
        slots: The slots of its arguments; a category has none.
    """

    name: str
    compute: Callable[..., Any] | None
    slots: tuple[int, ...]


Reads: TypeAlias = tuple[tuple[int, int], ...]
"""Windows, each by the number of its first and of its last edge."""


@dataclass(frozen=True)
class Plan:
    """The part of a contract's look-up that no request changes.

    Attributes:
        entities: The entities whose items are read.
        items: What is read of their items.
        edges: The edges, by number.
        reads: The distinct sets of windows that items are read for, and whether they are in days.
        slots: The initial value of every slot.
        own: Slots of the flight's own columns.
        features: How each feature is computed, in contract order.
        combine: Computes all features from the slots.
    """

    entities: tuple[Entity, ...]
    items: tuple[ItemPlan, ...]
    edges: tuple[Edge, ...]
    reads: tuple[tuple[Reads, bool], ...]
    slots: tuple[float, ...]
    own: tuple[tuple[int, str], ...]
    features: tuple[Step, ...]
    combine: Combine


def text_of(part: object) -> str | None:
    """Return a column of the flight as the value of a category."""
    return None if part is None else str(part)
