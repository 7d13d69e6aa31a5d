"""All features, in the order of the feature table's columns; a new one goes into a module here."""

from typing import Final

from features.catalog import history, recent, schedule, tail, weather
from features.declarations import Feature

FEATURES: Final[tuple[Feature, ...]] = (
    *schedule.FEATURES,
    *weather.FEATURES,
    *recent.FEATURES,
    *history.FEATURES,
    *tail.FEATURES,
)
