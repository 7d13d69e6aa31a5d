"""What every stage is given, and what it hands back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from pipelines.console import Console
from pipelines.records import StageRecords

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pipelines.settings import PipelineSettings
    from pipelines.tables import Tables

Json: TypeAlias = "None | bool | int | float | str | Sequence[Json] | Mapping[str, Json]"


@dataclass(frozen=True)
class StageOutcome:
    """What a stage that ran hands back.

    Attributes:
        outputs: Kept in the stage's record; the stages after it read them, and rerun when those
            they read change. Small figures and names, never data.
        notes: Short lines for the person who watches, such as `flights: 336,776 rows`.
    """

    outputs: Mapping[str, Json]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunContext:
    """What every stage is given: settings, tables, records and a console.

    The Spark session is built when it is first asked for: a run with nothing to do starts none.

    Attributes:
        settings: The configuration of the environment.
        console: Where progress is printed.
        records: What each stage did when it last succeeded.
    """

    settings: PipelineSettings
    console: Console = field(default_factory=Console)

    @cached_property
    def records(self) -> StageRecords:
        """The stage records below the home folder."""
        return StageRecords(self.settings.home / "stages")

    @cached_property
    def spark(self) -> SparkSession:
        """The Spark session of this run, built on first use."""
        from pipelines.session import open_session  # noqa: PLC0415 - a skipped run needs no Spark

        return open_session(self.settings.spark)

    @cached_property
    def tables(self) -> Tables:
        """The Delta tables of this environment."""
        from pipelines.tables import Tables  # noqa: PLC0415 - a skipped run needs no Spark

        return Tables(self.spark, str(self.settings.home / "tables"))

    def outputs(self, stage: str) -> Mapping[str, Json]:
        """Return what a stage handed back when it last succeeded.

        Raises:
            StageNotRunError: The stage has no valid record; names the command to run.
        """
        return self.records.require(stage).outputs

    def close(self) -> None:
        """Stop the Spark session if one was built."""
        if "spark" in self.__dict__:
            self.spark.stop()
