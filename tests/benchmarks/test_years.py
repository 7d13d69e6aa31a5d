"""Synthetic years on disk: keys are unique over years, and everything is labelled synthetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from benchmarks.synthetic_rows import SYNTHETIC
from benchmarks.years import main, write_years
from features.declare import columns as c

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_keys_are_unique_over_years_that_follow_each_other(tmp_path: Path) -> None:
    # Given two whole years, one after the other
    rows = write_years(tmp_path, years=2)
    # When all files of each table are read
    flights = pl.read_parquet(tmp_path / "silver_flights" / "*.parquet")
    weather = pl.read_parquet(tmp_path / "silver_weather" / "*.parquet")
    # Then no key occurs twice, and no day is left out
    assert flights.height == rows == flights[c.FLIGHT_ID].n_unique()
    assert not weather.select(c.AIRPORT, c.KNOWN).is_duplicated().any()
    assert flights[c.FLIGHT_DATE].n_unique() == 364 + 365


def test_command_files_and_rows_are_labelled_synthetic(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a year written by the command
    main(["--folder", str(tmp_path)])
    # Then the command, the folder, every file's name and every row are labelled synthetic
    assert SYNTHETIC.upper() in capsys.readouterr().out
    assert "No flight in here took place" in (tmp_path / "SYNTHETIC.md").read_text()
    files = list(tmp_path.glob("*/*.parquet"))
    assert len(files) == 2
    for file in files:
        assert SYNTHETIC in file.name
        assert pl.read_parquet(file)[c.SOURCE_FILE].str.starts_with(SYNTHETIC).all()
