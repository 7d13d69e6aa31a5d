"""Figures from what was measured."""

from __future__ import annotations

import pytest

from benchmarks.report import Result, figures_of, slope_of, text_of


def result(engine: str, scale: int, seconds: float | None, *, capped: bool = False) -> Result:
    ending = "done" if seconds else "over memory"
    return Result(engine, scale, scale * 1000, ending, seconds, seconds, 100.0, capped=capped)  # type: ignore[arg-type]  # one of the endings


@pytest.mark.parametrize(("power", "slope"), [(1.0, 1.0), (2.0, 2.0), (0.5, 0.5)])
def test_the_slope_is_the_power_by_which_cost_grows(power: float, slope: float) -> None:
    # Given seconds that grow with a power of the rows / Then the slope is that power
    points = [(rows, 3e-6 * rows**power) for rows in (1e5, 1e6, 3e6)]
    assert slope_of(points) == pytest.approx(slope)


def test_ratios_are_of_the_scale_that_every_engine_runs() -> None:
    # Given engines at two scales, one of them killed for its memory
    results = [
        result("ontime", 1, 1.0),
        result("ontime", 10, 10.0),
        result("polars_engine", 10, 20.0),
        result("naive_spark", 10, 50.0),
        result("polars_engine", 10, None, capped=True),
    ]
    # When they become figures
    figures = figures_of(results, equal=True, statistics=True)
    # Then ratios are at 10 years, each in its own direction, and what was not measured is left out
    assert figures["scale"] == 10
    assert figures["rows_per_s"] == 1000
    assert figures["vs_polars"] == 0.5
    assert figures["vs_naive_spark"] == 5.0
    assert "vs_duckdb" not in figures
    assert figures["slope"] == 1.0
    assert figures["capped_polars_engine"] == "over memory"
    # And the table reports how each ended
    assert "| 10x capped | polars_engine |  | | |  | 100 | over memory |" in text_of(
        results, figures
    )
