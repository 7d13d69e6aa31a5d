"""The columns of the source files, as the New York flights data names them, without Spark."""

from typing import Final

FLIGHTS: Final = "flights"
WEATHER: Final = "weather"
PLANES: Final = "planes"
AIRPORTS: Final = "airports"
AIRLINES: Final = "airlines"

# In order of ingestion: airports first, because the other tables need their time zones.
RAW_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    AIRPORTS: ("faa", "name", "lat", "lon", "alt", "tz", "dst", "tzone"),
    AIRLINES: ("carrier", "name"),
    PLANES: (
        "tailnum", "year", "type", "manufacturer", "model", "engines", "seats", "speed", "engine",
    ),
    WEATHER: (
        "origin", "year", "month", "day", "hour", "temp", "dewp", "humid", "wind_dir", "wind_speed",
        "wind_gust", "precip", "pressure", "visib", "time_hour",
    ),
    FLIGHTS: (
        "year", "month", "day", "dep_time", "sched_dep_time", "dep_delay", "arr_time",
        "sched_arr_time", "arr_delay", "carrier", "flight", "tailnum", "origin", "dest", "air_time",
        "distance", "hour", "minute", "time_hour",
    ),
}  # fmt: skip

# The text of a line that could not be parsed into columns; null for every other row.
UNREADABLE: Final = "unreadable"
