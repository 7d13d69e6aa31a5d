"""Eighteen analyses of the flights, each a function from frames to a result frame.

Days, months and weekdays are those of the scheduled departure, local at the origin. A flight is
cancelled when it never left, and diverted when it left and did not arrive where it should: neither
has an arrival. Delays are signed: leaving five minutes early is -5. Ties are broken by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from features.declare import columns as c

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

FLIGHTS: Final = "flights"
DELAY: Final = "mean_delay_min"
SHARE: Final = "share"
ROUTE: Final = (c.ORIGIN, c.DESTINATION)
MONTH: Final = "month"
WEEKDAY: Final = "weekday"
WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MUCH_MIN: Final = 30
HOUR_MIN: Final = 60


def total_flights(flights: DataFrame) -> DataFrame:
    """Return one row: all scheduled flights, and of them those that left and that arrived."""
    return flights.agg(
        F.count("*").alias(FLIGHTS),
        F.count(c.DEPARTED).alias("departed"),
        F.count(c.ARRIVED).alias("arrived"),
    )


def flights_by_month(flights: DataFrame) -> DataFrame:
    """Return by month the scheduled flights."""
    return _with_month(flights).groupBy(MONTH).agg(F.count("*").alias(FLIGHTS)).orderBy(MONTH)


def cancelled_flights(flights: DataFrame) -> DataFrame:
    """Return one row: the flights that never left, and their share of all."""
    cancelled = F.count(F.when(_cancelled(), 1))
    return flights.agg(cancelled.alias(FLIGHTS), (cancelled / F.count("*")).alias(SHARE))


def mean_departure_delay(flights: DataFrame) -> DataFrame:
    """Return one row: the mean departure delay in minutes of the flights that left."""
    return flights.agg(F.avg(c.DEPARTURE_DELAY).alias(DELAY))


def departure_delay_by_month(flights: DataFrame) -> DataFrame:
    """Return by month the mean departure delay in minutes."""
    mean = F.avg(c.DEPARTURE_DELAY).alias(DELAY)
    return _with_month(flights).groupBy(MONTH).agg(mean).orderBy(MONTH)


def airports_with_most_landings(flights: DataFrame, *, most: int = 5) -> DataFrame:
    """Return destination and landings, most first; a diverted flight landed elsewhere."""
    landed = flights.where(F.col(c.ARRIVED).isNotNull())
    return _top(landed.groupBy(c.DESTINATION).agg(F.count("*").alias("landings")), "landings", most)


def busiest_routes(flights: DataFrame, *, most: int = 10) -> DataFrame:
    """Return the routes with the most scheduled flights, cancelled ones included."""
    return _top(flights.groupBy(*ROUTE).agg(F.count("*").alias(FLIGHTS)), FLIGHTS, most)


def most_frequent_route(flights: DataFrame) -> DataFrame:
    """Return the route with the most scheduled flights."""
    return busiest_routes(flights, most=1)


def carriers_with_highest_arrival_delay(
    flights: DataFrame, airlines: DataFrame, *, most: int = 5
) -> DataFrame:
    """Return carrier, its name, mean arrival delay in minutes and arrivals, highest first."""
    arrived = flights.groupBy(c.CARRIER).agg(
        F.avg(c.ARRIVAL_DELAY).alias(DELAY), F.count(c.ARRIVAL_DELAY).alias("arrivals")
    )
    named = arrived.join(airlines.select(c.CARRIER, "name"), on=c.CARRIER, how="left")
    return _top(named.select(c.CARRIER, "name", DELAY, "arrivals"), DELAY, most)


def weekday_with_most_flights(flights: DataFrame) -> DataFrame:
    """Return the weekdays with their scheduled flights, most first; the first is the answer."""
    counted = _with_weekday(flights).groupBy(WEEKDAY).agg(F.count("*").alias(FLIGHTS))
    return _top(counted, FLIGHTS, len(WEEKDAYS))


def share_of_late_departures_by_month(flights: DataFrame, *, over_min: int = MUCH_MIN) -> DataFrame:
    """Return by month the share of the flights that left which left over `over_min` late."""
    late = F.avg(F.when(F.col(c.DEPARTURE_DELAY) > over_min, 1.0).otherwise(0.0))
    left = flights.where(F.col(c.DEPARTURE_DELAY).isNotNull())
    return _with_month(left).groupBy(MONTH).agg(late.alias(SHARE)).orderBy(MONTH)


def origins_by_flights_to(flights: DataFrame, *, destination: str = "SEA") -> DataFrame:
    """Return the origins by scheduled flights to a destination, most first."""
    there = flights.where(F.col(c.DESTINATION) == destination)
    return _top(there.groupBy(c.ORIGIN).agg(F.count("*").alias(FLIGHTS)), FLIGHTS, 10)


def departure_delay_by_weekday(flights: DataFrame) -> DataFrame:
    """Return by weekday, Monday first, the mean departure delay in minutes."""
    mean = F.avg(c.DEPARTURE_DELAY).alias(DELAY)
    numbered = _with_weekday(flights).groupBy(_weekday_number().alias("day"), WEEKDAY)
    return numbered.agg(mean).orderBy("day").select(WEEKDAY, DELAY)


def longest_routes(flights: DataFrame, *, most: int = 10) -> DataFrame:
    """Return the routes with the longest mean air time in minutes, of those that were flown."""
    mean = F.avg(c.AIR_TIME).alias("mean_air_time_min")
    return _top(flights.groupBy(*ROUTE).agg(mean), "mean_air_time_min", most)


def route_with_longest_air_time(flights: DataFrame) -> DataFrame:
    """Return the route with the longest mean air time in minutes."""
    return longest_routes(flights, most=1)


def most_common_destinations(flights: DataFrame) -> DataFrame:
    """Return for each origin the destination with the most scheduled flights."""
    return _first_by_origin(flights).select(c.ORIGIN, c.DESTINATION, FLIGHTS)


def routes_with_largest_air_time_variation(
    flights: DataFrame, *, most: int = 3, least_flights: int = 2
) -> DataFrame:
    """Return the routes with the largest standard deviation of air time, in minutes.

    The sample's deviation; the coefficient of variation is beside it, for long routes vary more.
    """
    deviation, mean = F.stddev_samp(c.AIR_TIME), F.avg(c.AIR_TIME)
    routes = flights.groupBy(*ROUTE).agg(
        deviation.alias("deviation_min"),
        (deviation / mean).alias("coefficient"),
        F.count(c.AIR_TIME).alias(FLIGHTS),
    )
    return _top(routes.where(F.col(FLIGHTS) >= least_flights), "deviation_min", most)


def arrival_delay_after_late_departure(
    flights: DataFrame, *, over_min: int = HOUR_MIN
) -> DataFrame:
    """Return one row: the mean arrival delay of arrived flights that left over an hour late."""
    late = flights.where(F.col(c.DEPARTURE_DELAY) > over_min)
    return late.agg(F.avg(c.ARRIVAL_DELAY).alias(DELAY), F.count(c.ARRIVAL_DELAY).alias(FLIGHTS))


def arrival_delay_by_month(flights: DataFrame) -> DataFrame:
    """Return by month the mean arrival delay in minutes."""
    mean = F.avg(c.ARRIVAL_DELAY).alias(DELAY)
    return _with_month(flights).groupBy(MONTH).agg(mean).orderBy(MONTH)


def mean_daily_flights_by_month(flights: DataFrame) -> DataFrame:
    """Return by month the scheduled flights of a mean day that has any."""
    days = flights.groupBy(c.FLIGHT_DATE).agg(F.count("*").alias(FLIGHTS))
    by_month = _with_month(days).groupBy(MONTH)
    return by_month.agg(F.avg(FLIGHTS).alias("mean_daily_flights")).orderBy(MONTH)


def routes_with_most_late_arrivals(
    flights: DataFrame, *, most: int = 3, over_min: int = MUCH_MIN
) -> DataFrame:
    """Return the routes with the most arrivals over `over_min` late."""
    late = flights.where(F.col(c.ARRIVAL_DELAY) > over_min)
    return _top(
        late.groupBy(*ROUTE).agg(F.count("*").alias("late_arrivals")), "late_arrivals", most
    )


def main_destination_shares(flights: DataFrame) -> DataFrame:
    """Return for each origin its main destination, and its share of the origin's flights."""
    return _first_by_origin(flights).select(c.ORIGIN, c.DESTINATION, SHARE)


def worst_arrival_delays(flights: DataFrame, weather: DataFrame, *, most: int = 5) -> DataFrame:
    """Return the flights with the worst arrival delays, and the wind around them in mph.

    The wind is that of the hour in which the flight left, at its origin, and in which it arrived,
    at both ends; null where there is no observation, as at every airport outside New York.
    """
    worst = _top(
        flights.select(
            c.FLIGHT_ID, c.ORIGIN, c.DESTINATION, c.DEPARTED, c.ARRIVED, c.ARRIVAL_DELAY
        ),
        c.ARRIVAL_DELAY,
        most,
    )
    wanted = [
        ("origin_wind_at_departure", c.ORIGIN, c.DEPARTED),
        ("origin_wind_at_arrival", c.ORIGIN, c.ARRIVED),
        ("destination_wind_at_departure", c.DESTINATION, c.DEPARTED),
        ("destination_wind_at_arrival", c.DESTINATION, c.ARRIVED),
    ]
    for name, airport, instant in wanted:
        worst = _with_wind(worst, weather, name=name, airport=airport, instant=instant)
    return worst.orderBy(F.desc(c.ARRIVAL_DELAY), c.FLIGHT_ID)


def _with_wind(
    flights: DataFrame, weather: DataFrame, *, name: str, airport: str, instant: str
) -> DataFrame:
    """Add the wind at an airport in the hour of an instant; a weather key is airport and hour."""
    hour = F.date_trunc("hour", F.col(c.OBSERVED))
    hourly = weather.groupBy(F.col(c.AIRPORT).alias(airport), hour.alias("_hour")).agg(
        F.max(c.WIND_SPEED).alias(name)
    )
    timed = flights.withColumn("_hour", F.date_trunc("hour", F.col(instant)))
    return timed.join(F.broadcast(hourly), on=[airport, "_hour"], how="left").drop("_hour")


def _cancelled() -> Column:
    return F.col(c.STATUS) == c.CANCELLED_STATUS


def _with_month(rows: DataFrame) -> DataFrame:
    return rows.withColumn(MONTH, F.month(c.FLIGHT_DATE))


def _weekday_number() -> Column:
    return F.weekday(c.FLIGHT_DATE)  # Monday is 0


def _with_weekday(flights: DataFrame) -> DataFrame:
    names = F.array(*(F.lit(name) for name in WEEKDAYS))
    return flights.withColumn(WEEKDAY, F.get(names, _weekday_number()))


def _first_by_origin(flights: DataFrame) -> DataFrame:
    """Return for each origin its first destination by flights, with flights and share."""
    counted = flights.groupBy(*ROUTE).agg(F.count("*").alias(FLIGHTS))
    origin = Window.partitionBy(c.ORIGIN)
    order = origin.orderBy(F.desc(FLIGHTS), c.DESTINATION)
    ranked = counted.withColumn("_rank", F.row_number().over(order)).withColumn(
        SHARE, F.col(FLIGHTS) / F.sum(FLIGHTS).over(origin)
    )
    return ranked.where(F.col("_rank") == 1).drop("_rank").orderBy(c.ORIGIN)


def _top(rows: DataFrame, column: str, most: int) -> DataFrame:
    """Return the first rows by a column, largest first; rows without a value are left out."""
    rest = [name for name in rows.columns if name != column]
    return rows.where(F.col(column).isNotNull()).orderBy(F.desc(column), *rest).limit(most)
