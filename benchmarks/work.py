"""The work that every engine does: which features, of which flights, how far ahead.

A list of the catalog's features that has every kind of input in it: totals of windows of minutes
and of whole days, intervals that stand open, the latest event of an aircraft, its previous leg by
the schedule, the traffic around a departure, and the last weather report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from features.catalog import FEATURES as CATALOG

if TYPE_CHECKING:
    from features.declare.declarations import Feature

HORIZON_MIN: Final = 120

NAMES: Final = (
    "wind_speed",
    "pressure",
    "visibility",
    "departure_delay_origin_3h",
    "arrival_delay_carrier_8h",
    "departure_late_origin_3h",
    "overdue_count_origin",
    "overdue_minutes_carrier",
    "cancelled_origin_12h",
    "traffic_origin",
    "late_route_28d",
    "delay_flight_28d",
    "tail_departure_delay",
    "tail_since_arrival",
    "leg_delay",
)
"""Names of the features, in the order of the written table's columns."""

FEATURES: Final[tuple[Feature, ...]] = tuple(
    next(feature for feature in CATALOG if feature.name == name) for name in NAMES
)
