"""Features of the weather at the origin, as last reported before the prediction time."""

from __future__ import annotations

from typing import Final

from features.arithmetic import difference, same
from features.declare import columns as c
from features.declare.declarations import (
    ORIGIN,
    Feature,
    Latest,
)
from features.declare.streams import WEATHER

_WITHIN_MIN: Final = 360
_TREND_MIN: Final = 180
_NULL: Final = "not measured, or no report within 6 hours"


def _reported(column: str, unit: str, what: str, *, least: float, most: float) -> Feature:
    return Feature(
        name=column.rsplit("_", 1)[0],
        family="weather",
        unit=unit,
        definition=f"{what} at the origin in the last report known before the prediction time.",
        null=_NULL,
        inputs=(Latest(WEATHER.name, column, ORIGIN, _WITHIN_MIN),),
        compute=same,
        minimum=least,
        maximum=most,
    )


_PRESSURE_NOW: Final = Latest(WEATHER.name, c.PRESSURE, ORIGIN, _WITHIN_MIN)
_PRESSURE_THEN: Final = Latest(WEATHER.name, c.PRESSURE, ORIGIN, _WITHIN_MIN, ago_min=_TREND_MIN)

FEATURES: Final = (
    _reported(c.TEMPERATURE, "°F", "Temperature", least=-80, most=140),
    _reported(c.HUMIDITY, "%", "Relative humidity", least=0, most=100),
    _reported(c.WIND_DIRECTION, "°", "Direction the wind blows from", least=0, most=360),
    _reported(c.WIND_SPEED, "mph", "Wind speed", least=0, most=250),
    _reported(c.WIND_GUST, "mph", "Speed of gusts", least=0, most=300),
    _reported(c.PRECIPITATION, "in", "Precipitation in the hour", least=0, most=20),
    _reported(c.PRESSURE, "hPa", "Sea-level pressure", least=850, most=1100),
    _reported(c.VISIBILITY, "mi", "Visibility", least=0, most=100),
    Feature(
        name="pressure_change",
        family="weather",
        unit="hPa",
        definition="Change of the reported pressure at the origin over the last 3 hours.",
        null=_NULL,
        inputs=(_PRESSURE_NOW, _PRESSURE_THEN),
        compute=difference,
        minimum=-100,
        maximum=100,
    ),
)
