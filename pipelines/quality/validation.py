"""Validates a table against its suite with Great Expectations; a failure stops the run."""

from __future__ import annotations

import logging
import os
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import functions as F

from ontime_base.errors import OntimeError
from pipelines.quality.data_docs import observed, write_table_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from great_expectations.core import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )
    from great_expectations.expectations.expectation import Expectation
    from great_expectations.expectations.expectation_configuration import (
        ExpectationConfiguration,
    )
    from pyspark.sql import Column, DataFrame

# 400 MB as doubles.
MOST_CELLS_IN_MEMORY = 50_000_000


class DataQualityError(OntimeError):
    """A table does not meet its expectations."""


@dataclass(frozen=True)
class QualityReport:
    """A table that meets its suite.

    Attributes:
        table: Its name.
        rows: How many rows it has.
        expectations: How many expectations it meets.
        path: Its page of the data docs.
    """

    table: str
    rows: int
    expectations: int
    path: Path


def validate(
    frame: DataFrame | pa.Table,
    *,
    rows: int,
    table: str,
    expectations: Callable[[], list[Expectation]],
    conditions: Mapping[str, str],
    home: Path,
    most_cells_in_memory: int = MOST_CELLS_IN_MEMORY,
) -> QualityReport:
    """Return the report on a table that meets its expectations.

    A table that fits into memory is validated there, a larger one by Spark jobs.

    Args:
        frame: The rows; a large frame is read several times, and an Arrow table has the columns
            of the conditions.
        rows: How many there are.
        table: The table's name.
        expectations: Builds the suite; called when Great Expectations is imported.
        conditions: Columns to add for it: their names, and SQL over the others; null is false.
        home: The home folder, where the data docs are.
        most_cells_in_memory: A table with more rows times columns is validated by Spark.

    Raises:
        DataQualityError: An expectation is not met; names it, the table and what was observed.
    """
    result = evaluate(_whole(frame, rows, conditions, most_cells_in_memory), table, expectations)
    page = write_table_page(result, table=table, rows=rows, home=home)
    if not result.success:
        raise DataQualityError(_describe(result, table, page))
    return QualityReport(table, rows, len(result.results), page)


def import_validator() -> None:
    """Import Great Expectations, which takes seconds, before it is needed."""
    import_module("great_expectations")


def evaluate(
    frame: DataFrame | pd.DataFrame, table: str, expectations: Callable[[], list[Expectation]]
) -> ExpectationSuiteValidationResult:
    """Return what Great Expectations finds in a frame.

    Args:
        frame: The rows.
        table: The table's name.
        expectations: Builds the suite; called when Great Expectations is imported.
    """
    with _quiet():
        import great_expectations as gx  # noqa: PLC0415 - takes 2 s, which a skipped run does not need
        from great_expectations.data_context.types.base import (  # noqa: PLC0415
            DataContextConfig,
            InMemoryStoreBackendDefaults,
            ProgressBarsConfig,
        )

        config = DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            progress_bars=ProgressBarsConfig(globally=False),
            analytics_enabled=False,
        )
        sources = gx.get_context(mode="ephemeral", project_config=config).data_sources
        in_memory = isinstance(frame, pd.DataFrame)
        source = sources.add_pandas(table) if in_memory else sources.add_spark(table)
        whole = source.add_dataframe_asset(table).add_batch_definition_whole_dataframe("all")
        batch = whole.get_batch({"dataframe": frame})
        result = batch.validate(gx.ExpectationSuite(name=table, expectations=expectations()))
        for found in result.results:
            value = found.result.get("observed_value")
            if isinstance(value, np.generic):  # its text on a page would be that of NumPy
                found.result["observed_value"] = value.item()
        return result


def condition_columns(conditions: Mapping[str, str]) -> dict[str, Column]:
    """Return columns to add for a suite, by name, from SQL over the others; null is false."""
    return {name: F.coalesce(F.expr(sql), F.lit(False)) for name, sql in conditions.items()}  # noqa: FBT003 - a literal column


def _whole(
    frame: DataFrame | pa.Table, rows: int, conditions: Mapping[str, str], most_cells: int
) -> DataFrame | pd.DataFrame:
    """Return the rows with the columns of the conditions, in memory if they fit."""
    if isinstance(frame, pa.Table):
        in_memory: pd.DataFrame = frame.to_pandas()
        return in_memory
    whole = frame.withColumns(condition_columns(conditions)) if conditions else frame
    return whole.toArrow().to_pandas() if rows * len(whole.columns) <= most_cells else whole


def _describe(result: ExpectationSuiteValidationResult, table: str, page: Path) -> str:
    broken = [found for found in result.results if not found.success]
    first, config = broken[0], _config(broken[0])
    given = {
        key: value
        for key, value in config.kwargs.items()
        if value is not None and key not in {"batch_id", "unexpected_rows_query"}
    }
    wanted = config.description or ", ".join(f"{key} {value}" for key, value in given.items())
    more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
    return (
        f"Table {table} does not meet {config.type} ({wanted}){more}: observed {observed(first)}. "
        f"It was not used; see {page}."
    )


def _config(found: ExpectationValidationResult) -> ExpectationConfiguration:
    if found.expectation_config is None:
        raise DataQualityError(
            f"Great Expectations returned a result without its expectation: {found}."
        )
    return found.expectation_config


@contextmanager
def _quiet() -> Iterator[None]:
    """Run Great Expectations without telemetry, log messages and the warnings of its imports."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="module 'sre_")
        yield
