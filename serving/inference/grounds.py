"""What a prediction rests on: warnings where the model answers beyond what it has learned or sees.

A warning changes no probability. The codes are stable: clients, alarms and stored predictions
name them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, get_args

from features.declare.declarations import MINUTES_PER_DAY
from serving.schema.responses import WarningCode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from features.online.lookup import Flight
    from serving.models.model_loader import LoadedModel

WARNING_CODES: Final[tuple[WarningCode, ...]] = get_args(WarningCode)
STALE_MIN: Final = 360
OUTSIDE_DAYS: Final = 7
_MOST_MISSING: Final = 0.5


@dataclass(frozen=True, slots=True)
class OnlineSpan:
    """The time that the online state covers, in minutes since the epoch.

    Attributes:
        since: The first minute whose features are held; None where that is not known.
        until: The newest known-at minute of an event, to the hour; None before the first.
    """

    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Grounds:
    """When a prediction has a warning.

    Attributes:
        stale_min: Age of the newest event, in minutes, from which a prediction is stale.
        outside_days: How many days after the newest flight or event that is known a flight may
            leave.
        online: Returns what the online state covers.
    """

    stale_min: int = STALE_MIN
    outside_days: int = OUTSIDE_DAYS
    online: Callable[[], OnlineSpan] = OnlineSpan

    def warnings(
        self,
        model: LoadedModel,
        flight: Flight,
        *,
        as_of: int,
        missing: int,
        newest: Mapping[str, int | None],
    ) -> tuple[WarningCode, ...]:
        """Return the warnings of a prediction, in the order of their declaration.

        Args:
            model: The model that answers.
            flight: The flight.
            as_of: Instant of the features, minutes since the epoch.
            missing: How many features have no value.
            newest: Minute of the newest event known before `as_of`, by table.
        """
        found: list[WarningCode] = []
        if self._is_outside(flight.scheduled_departure_at, model, self.online()):
            found.append("outside_data")
        if model.carriers is not None and flight.carrier not in model.carriers:
            found.append("unknown_carrier")
        if any(self._is_stale(newest.get(table), as_of) for table in model.tables):
            found.append("stale")
        if missing > _MOST_MISSING * len(model.contract.features):
            found.append("mostly_missing")
        return tuple(found)

    def _is_outside(self, departure: int, model: LoadedModel, online: OnlineSpan) -> bool:
        learned = model.learned
        since = [at for at in (learned and learned[0], online.since) if at]
        until = [at for at in (learned and learned[1], online.until) if at]
        if since and departure < min(since):
            return True
        return bool(until) and departure > max(until) + self.outside_days * MINUTES_PER_DAY

    def _is_stale(self, newest: int | None, as_of: int) -> bool:
        return newest is None or as_of - newest > self.stale_min
