"""The feature table of late and corrected data, day by day, and as of the ingest before them."""

from __future__ import annotations

import datetime as dt
import io
from typing import TYPE_CHECKING

import pytest

from features.offline.blocks import DayRange
from pipelines.build_features import run
from pipelines.gold.as_of import AsOfError, plan_as_of
from pipelines.runtime.console import Console
from pipelines.runtime.context import RunContext
from pipelines.settings import load_settings
from pipelines.tables.commit_metadata import GoldCommit, from_description
from tests.pipelines.silver.test_candidates import START, Arrivals, row_of

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.timeout(1800)]

GOLD = "gold_features_h120"


class Commands:
    """The stage as it is run again and again in one home."""

    def __init__(self, arrivals: Arrivals) -> None:
        self.arrivals, self.output = arrivals, io.StringIO()

    def build(self, as_of: dt.datetime | None = None, *, force: bool = False) -> dict[str, object]:
        settings = load_settings("dev")
        features = settings.features.model_copy(update={"as_of_ingest": as_of})
        changed = settings.model_copy(update={"features": features})
        context = RunContext(changed, Console(self.output)).using(tables=self.arrivals.tables)
        if force:
            context.forced.add("build_features")
        return dict(run(context).outputs)

    def new_output(self) -> str:
        """Return what was printed since the last call."""
        text = self.output.getvalue()
        self.output.seek(0)
        self.output.truncate()
        return text


def test_late_data_is_repaired_and_the_table_before_it_can_be_built_again(
    spark: SparkSession, home: Path
) -> None:
    # Given an ingest, whose feature table is recorded
    arrivals = Arrivals(spark, home, columnar=True)
    stage = Commands(arrivals)
    days = {f"{day}.csv": [row_of(n, day, "N1") for n in (1, 2)] for day in (1, 3, 5, 28)}
    arrivals.receive("flights", days)
    arrivals.update()
    first = stage.build()
    assert f"{GOLD}: it does not exist yet" in stage.new_output()
    then = START + dt.timedelta(minutes=arrivals.minutes)
    # When late and corrected rows of the 5th come, and one of an older day with the same values
    late = [row_of(1, 5, "N2"), row_of(3, 5, "N1"), row_of(1, 3, "N1")]
    arrivals.receive("flights", {"late.csv": late})
    arrivals.update()
    second = stage.build()
    # Then the days that it reaches are made again, and the table is as if all had been
    assert "1 day of silver changed: 26 days of gold are rebuilt" in stage.new_output()
    commit = from_description(GoldCommit, arrivals.tables.description(GOLD))
    assert commit is not None
    assert commit.days == ((dt.date(2013, 1, 3), dt.date(2013, 1, 28)),)
    assert second["gold_hash"] != first["gold_hash"]
    assert second["gold_hash"] == arrivals.tables.content_hash(GOLD)
    # And there is nothing to do until something changes
    assert stage.build() == second
    assert "0 days of silver changed: 0 days of gold are rebuilt" in stage.new_output()
    assert stage.build(force=True)["gold_hash"] == second["gold_hash"]
    # When the table is built as of the first ingest
    again = stage.build(then)
    # Then it is rebuilt in a separate table, bit for bit, and the other one is unchanged
    assert again["gold_hash"] == first["gold_hash"]
    assert again["table"] == f"{GOLD}_as_of_20260101T000500000000Z"
    assert f"equal, bit for bit, to {GOLD} version 0 as it was recorded" in stage.new_output()
    assert stage.build()["gold_hash"] == second["gold_hash"]
    # And before the first ingest there was none
    with pytest.raises(AsOfError, match="the first known ingest was at 2026-01-01T00:05"):
        stage.build(START)


def test_a_past_table_has_every_day() -> None:
    days = DayRange(START.date(), START.date())
    with pytest.raises(AsOfError, match="leave out `from` and `to`"):
        plan_as_of(RunContext(load_settings("dev")), GOLD, START, days)
