"""The types that declare a feature: its inputs, their windows, and what the value means.

A `Feature` has inputs and a function that combines them. An input selects past events by stream,
entity key and window. The offline kernel (whole table) and the online look-up (one flight) resolve
the same inputs and call the same function. Every input is bounded by the prediction time: nothing
that becomes known at that minute or later can reach a feature.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from features.declare import columns as c

if TYPE_CHECKING:
    from collections.abc import Callable

Anchor = Literal["prediction", "departure"]
DataType = Literal["float64", "string"]
Entity: TypeAlias = tuple[str, ...]

LOCAL_HOUR: Final = "local_hour"
EVERYWHERE: Final[Entity] = ()
ORIGIN: Final[Entity] = (c.ORIGIN,)
CARRIER: Final[Entity] = (c.CARRIER,)
DESTINATION: Final[Entity] = (c.DESTINATION,)
CARRIER_AT_ORIGIN: Final[Entity] = (c.ORIGIN, c.CARRIER)
ROUTE: Final[Entity] = (c.ORIGIN, c.DESTINATION)
CARRIER_TO_DESTINATION: Final[Entity] = (c.CARRIER, c.DESTINATION)
FLIGHT: Final[Entity] = (c.CARRIER, c.FLIGHT_NUMBER)
ORIGIN_HOUR: Final[Entity] = (c.ORIGIN, LOCAL_HOUR)
TAIL: Final[Entity] = (c.TAIL_NUMBER,)

HORIZON_MIN: Final = 120
"""Minutes from the prediction time to the scheduled departure, unless settings say otherwise."""

MINUTES_PER_DAY: Final = 1440
MAX_WINDOW_MIN: Final = 4 * MINUTES_PER_DAY
MAX_WINDOW_DAYS: Final = 28


@dataclass(frozen=True, slots=True)
class Minutes:
    """The window from `before` minutes before an anchor to `after` after it, end excluded."""

    before: int
    after: int = 0
    anchor: Anchor = "prediction"


@dataclass(frozen=True, slots=True)
class UntilDeparture:
    """The window from the prediction time to the scheduled departure, end excluded.

    Only for the schedule, which is known ahead.
    """


@dataclass(frozen=True, slots=True)
class Days:
    """The `count` whole UTC days before the UTC day of the prediction time."""

    count: int


Window: TypeAlias = Minutes | UntilDeparture | Days


@dataclass(frozen=True, slots=True)
class Sum:
    """The total of a measure over a stream's events of the same entity key in the window.

    0 when there are no such events, or the flight's key is missing.
    """

    stream: str
    measure: str
    entity: Entity
    window: Window


@dataclass(frozen=True, slots=True)
class OpenIntervals:
    """The total of a measure over the intervals that are open at the prediction time.

    An interval is open if it started before the prediction time and did not end before it; `stream`
    names a stream of intervals.
    """

    stream: str
    measure: str
    entity: Entity


@dataclass(frozen=True, slots=True)
class Latest:
    """A value of the latest event before the anchor, which `ago_min` moves back in time.

    Null when there is no event within `within_min` minutes, or the flight's key is missing. A
    measure that becomes known later than its event (`Measure.known_at`) is null until it is known.
    """

    stream: str
    measure: str
    entity: Entity
    within_min: int
    anchor: Anchor = "prediction"
    ago_min: int = 0


@dataclass(frozen=True, slots=True)
class Own:
    """A column of the flight's own schedule; instants are in minutes since the epoch."""

    column: str


Input: TypeAlias = Sum | OpenIntervals | Latest | Own


@dataclass(frozen=True, slots=True)
class Feature:
    """The declaration of one feature; its column, contract entry and documentation derive from it.

    Attributes:
        name: Column name in the feature table.
        family: `schedule`, `calendar`, `weather`, `recent`, `history` or `tail`.
        unit: Unit of the value.
        definition: One sentence that defines the value.
        null: What a missing value means.
        inputs: Its inputs, in the order of the arguments of `compute`.
        compute: Arithmetic over the inputs, element by element (see `features.arithmetic`).
        dtype: `float64`, or `string` for a category.
        minimum: Least plausible value, None when there is no limit.
        maximum: Greatest plausible value, None when there is no limit.
    """

    name: str
    family: str
    unit: str
    definition: str
    null: str
    inputs: tuple[Input, ...]
    compute: Callable[..., Any]
    dtype: DataType = "float64"
    minimum: float | None = None
    maximum: float | None = None

    @property
    def entity(self) -> Entity:
        """The widest entity key that the inputs use."""
        entities = [item.entity for item in self.inputs if not isinstance(item, Own)]
        return max(entities, key=len, default=())
