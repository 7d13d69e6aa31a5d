"""Synthetic rows of silver: the real year 2013, moved by whole weeks and varied.

A synthetic year is the real year moved by a whole number of 364 days, so that weekdays stay, with
other delays, cancellations and aircraft: no two years are copies. They are **synthetic**, and every
row has that in its lineage. Nothing is to be learnt from them about flights.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Final

import numpy as np
import polars as pl

from benchmarks.real_year import with_events
from features.declare import columns as c

DAYS: Final = 364
"""Days from one synthetic year to the next: 52 weeks."""

REAL_DAYS: Final = 365
SYNTHETIC: Final = "synthetic"

_START: Final = datetime(2013, 1, 1, 5, tzinfo=UTC)  # midnight in New York
_INGESTED: Final = datetime(2013, 1, 1, tzinfo=UTC)
_FLIGHT_ORDER: Final = (
    c.FLIGHT_ID, c.CARRIER, c.FLIGHT_NUMBER, c.TAIL_NUMBER, c.ORIGIN, c.DESTINATION,
    c.SCHEDULED_DEPARTURE, c.SCHEDULED_ARRIVAL, c.ORIGIN_OFFSET, c.DESTINATION_OFFSET, c.DEPARTED,
    c.ARRIVED, c.DEPARTURE_DELAY, c.ARRIVAL_DELAY, c.AIR_TIME, c.DISTANCE, c.STATUS,
    c.DEPARTURE_KNOWN, c.ARRIVAL_KNOWN, c.CANCELLATION_KNOWN, c.DIVERSION_KNOWN, c.FLIGHT_DATE,
    *c.LINEAGE,
)  # fmt: skip


def days_of_year(year: int, years: int, days: int) -> int:
    """Return how many days of a year are made, so that the next begins where its 52 weeks end."""
    return days if year == years - 1 else min(days, DAYS)


def synthetic_flights(
    real: pl.DataFrame, *, year: int, seed: int = 0, days: int = REAL_DAYS
) -> pl.DataFrame:
    """Return one synthetic year of `silver_flights`, by scheduled departure.

    Args:
        real: `real_flights()`.
        year: How many times 364 days after 2013.
        seed: With the year, what the variation is drawn from.
        days: How many days of the year, from its first.
    """
    random = np.random.default_rng((seed, year))
    flights = real.filter(_day(c.SCHEDULED_DEPARTURE) < days)
    shift = pl.duration(days=DAYS * year)
    varied = _with_other_aircraft(_with_other_cancellations(flights, random), random)
    moved = _with_other_delays(varied, random).with_columns(
        pl.col(c.SCHEDULED_DEPARTURE, c.SCHEDULED_ARRIVAL) + shift
    )
    return with_events(moved).pipe(_with_lineage, year, seed).select(_FLIGHT_ORDER)


def synthetic_weather(
    real: pl.DataFrame, *, year: int, seed: int = 0, days: int = REAL_DAYS
) -> pl.DataFrame:
    """Return one synthetic year of `silver_weather`: each day a little warmer or colder.

    Args:
        real: `real_weather()`.
        year: How many times 364 days after 2013.
        seed: With the year, what the variation is drawn from.
        days: How many days of the year, from its first.
    """
    random = np.random.default_rng((seed, year, 1))
    weather = real.filter(_day(c.OBSERVED) < days)
    day = weather.select(_day(c.OBSERVED) + 1).to_series().to_numpy()
    degrees, pressure = random.normal(0, 3, DAYS + 3)[day], random.normal(0, 2, DAYS + 3)[day]
    shift = pl.duration(days=DAYS * year)
    return weather.with_columns(
        pl.col(c.OBSERVED, c.KNOWN) + shift,
        (pl.col(c.TEMPERATURE, c.DEW_POINT) + pl.Series(degrees)).round(2),
        (pl.col(c.PRESSURE) + pl.Series(pressure)).round(1),
    ).pipe(_with_lineage, year, seed)


def _with_other_cancellations(flights: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    """Cancel some flights on some days, and let some cancelled ones fly.

    One that flies now has the delays of another flight of that day, drawn by chance.
    """
    day = flights.select(_day(c.SCHEDULED_DEPARTURE) + 1).to_series().to_numpy()
    share = random.exponential(0.012, DAYS + 3)[day]
    newly = random.random(flights.height) < share
    flies = random.random(flights.height) < 0.5
    was_cancelled = pl.col(c.DEPARTURE_DELAY).is_null()
    fly = was_cancelled & pl.Series(flies) & pl.col(c.TAIL_NUMBER).is_not_null()
    duration = pl.col(c.SCHEDULED_ARRIVAL) - pl.col(c.SCHEDULED_DEPARTURE)
    usual_air_time = (duration.dt.total_minutes() * 3 // 4).cast(pl.Int32)
    delay = pl.col(c.DEPARTURE_DELAY).forward_fill().backward_fill()
    newly_cancelled = pl.Series(newly) & ~was_cancelled
    return flights.with_columns(
        pl.when(fly).then(delay).otherwise(pl.col(c.DEPARTURE_DELAY)).alias(c.DEPARTURE_DELAY),
        pl.when(fly).then(delay).otherwise(pl.col(c.ARRIVAL_DELAY)).alias(c.ARRIVAL_DELAY),
        pl.when(fly).then(usual_air_time).otherwise(pl.col(c.AIR_TIME)).alias(c.AIR_TIME),
    ).with_columns(
        pl.when(~newly_cancelled).then(pl.col(name)).alias(name)
        for name in (c.DEPARTURE_DELAY, c.ARRIVAL_DELAY, c.AIR_TIME)
    )


def _with_other_delays(flights: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    """Make each day better or worse, and each flight a few minutes other, in whole minutes.

    The time from departure to arrival stays longer than the time in the air.
    """
    day = flights.select(_day(c.SCHEDULED_DEPARTURE) + 1).to_series().to_numpy()
    factor = pl.Series(random.uniform(0.5, 1.5, DAYS + 3)[day])
    start, way, air = (
        pl.Series(random.integers(-2, 3, flights.height), dtype=pl.Int32) for _ in range(3)
    )
    delay = pl.col(c.DEPARTURE_DELAY)
    scaled = pl.when(delay > 0).then((delay * factor).round().cast(pl.Int32)).otherwise(delay)
    longest = pl.min_horizontal(scaled, pl.lit(1_440, pl.Int32))
    return flights.with_columns(
        pl.when(delay.is_not_null()).then(longest + start).alias("new")
    ).select(
        pl.exclude("new", c.DEPARTURE_DELAY, c.ARRIVAL_DELAY, c.AIR_TIME),
        (pl.col(c.ARRIVAL_DELAY) + pl.col("new") - delay + way).alias(c.ARRIVAL_DELAY),
        (pl.col(c.AIR_TIME) + air).alias(c.AIR_TIME),
        pl.col("new").alias(c.DEPARTURE_DELAY),
    )


def _with_other_aircraft(flights: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    """Swap the aircraft of each carrier among its rotations."""
    tails = (
        flights.lazy()
        .drop_nulls(c.TAIL_NUMBER)
        .group_by(c.TAIL_NUMBER)
        .agg(pl.col(c.CARRIER).min())
        .sort(c.CARRIER, c.TAIL_NUMBER)
        .collect()
    )
    drawn = tails.with_columns(pl.Series("drawn", random.random(tails.height)))
    swap = drawn.select(
        c.TAIL_NUMBER, pl.col(c.TAIL_NUMBER).sort_by("drawn").over(c.CARRIER).alias("other")
    )
    swapped = flights.join(swap, on=c.TAIL_NUMBER, how="left", maintain_order="left")
    return swapped.with_columns(pl.col("other").alias(c.TAIL_NUMBER)).drop("other")


def _with_lineage(rows: pl.DataFrame, year: int, seed: int) -> pl.DataFrame:
    name = f"{SYNTHETIC}/seed-{seed}/year-{year:02d}"
    return rows.with_columns(
        pl.lit(name).alias(c.SOURCE_FILE),
        pl.lit(hashlib.sha256(name.encode()).hexdigest()).alias(c.SOURCE_CHECKSUM),
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(c.SOURCE_ROW),
        pl.lit(_INGESTED, dtype=pl.Datetime("us", "UTC")).alias(c.INGESTED),
    )


def _day(column: str) -> pl.Expr:
    """Return the day of the real year, from 0, of a real instant; -1 before its first midnight."""
    return ((pl.col(column) - pl.lit(_START)).dt.total_minutes() // 1440).cast(pl.Int64)
