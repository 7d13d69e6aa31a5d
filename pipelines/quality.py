"""Great Expectations between the layers: a table meets its suite, or the run stops."""

from __future__ import annotations

import logging
import os
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.errors import OntimeError
from pipelines.data_docs import write_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from great_expectations.core import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )
    from great_expectations.expectations.expectation import Expectation
    from great_expectations.expectations.expectation_configuration import (
        ExpectationConfiguration,
    )
    from pyspark.sql import DataFrame


class DataQualityError(OntimeError):
    """A table does not meet what is expected of it."""


@dataclass(frozen=True)
class QualityReport:
    """A table that meets its suite.

    Attributes:
        table: Its name.
        rows: How many rows it has.
        expectations: How many expectations it meets.
        path: The page that tells them, for people.
    """

    table: str
    rows: int
    expectations: int
    path: Path


def validate(
    frame: DataFrame, *, table: str, expectations: Callable[[], list[Expectation]], home: Path
) -> QualityReport:
    """Return the report on a table that meets its expectations.

    Args:
        frame: The rows; read several times.
        table: The table's name.
        expectations: Makes the suite; called when Great Expectations is set up.
        home: The home folder, where the data docs are.

    Raises:
        DataQualityError: An expectation is not met; names it, the table and what was observed.
    """
    with _quiet():
        result = _result(frame, table, expectations)
    page = write_page(result, table=table, home=home)
    if not result.success:
        raise DataQualityError(_explained(result, table, page))
    rows = next(
        found.result["observed_value"]
        for found in result.results
        if _config(found).type == "expect_table_row_count_to_be_between"
    )
    return QualityReport(table, rows, len(result.results), page)


def _result(
    frame: DataFrame, table: str, expectations: Callable[[], list[Expectation]]
) -> ExpectationSuiteValidationResult:
    import great_expectations as gx  # noqa: PLC0415 - takes 2 s, which a skipped run needs not
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
    context = gx.get_context(mode="ephemeral", project_config=config)
    asset = context.data_sources.add_spark("spark").add_dataframe_asset(table)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    return batch.validate(gx.ExpectationSuite(name=table, expectations=expectations()))


def _explained(result: ExpectationSuiteValidationResult, table: str, page: Path) -> str:
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
        f"Table {table} does not meet {config.type} ({wanted}){more}: observed {_observed(first)}. "
        f"It was not used; see {page}."
    )


def _config(found: ExpectationValidationResult) -> ExpectationConfiguration:
    if found.expectation_config is None:
        raise DataQualityError(f"Great Expectations does not tell what it found: {found}.")
    return found.expectation_config


def _observed(found: ExpectationValidationResult) -> str:
    error = found.exception_info or {}
    if "observed_value" in found.result:
        return str(found.result["observed_value"])
    messages = [one.get("exception_message") for one in error.values() if isinstance(one, dict)]
    return str(messages[0] if messages else error.get("exception_message", "nothing"))


@contextmanager
def _quiet() -> Iterator[None]:
    """Great Expectations without telemetry, without chatter and without its imports' warnings."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="module 'sre_constants' is deprecated")
        yield
