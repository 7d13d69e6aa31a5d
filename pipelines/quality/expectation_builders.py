"""Builders of the expectations that our suites use, all of them cheap.

Nearly all are aggregates (minimum, maximum, share of values): Great Expectations computes all
aggregates of a suite in one Spark job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import great_expectations.expectations as gxe
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from great_expectations.expectations.expectation import Expectation


class ExpectColumnMinIfAnyToBeBetween(gxe.ExpectColumnMinToBeBetween):
    """Expect the least value of a column to be in a range, or the column to have none."""

    def _validate(self, metrics: dict[str, Any], *others: Any, **named: Any) -> Any:  # noqa: ANN401 - as the base has it
        return _met_if_empty(metrics["column.min"]) or super()._validate(metrics, *others, **named)


class ExpectColumnMaxIfAnyToBeBetween(gxe.ExpectColumnMaxToBeBetween):
    """Expect the greatest value of a column to be in a range, or the column to have none."""

    def _validate(self, metrics: dict[str, Any], *others: Any, **named: Any) -> Any:  # noqa: ANN401 - as the base has it
        return _met_if_empty(metrics["column.max"]) or super()._validate(metrics, *others, **named)


def not_empty() -> Expectation:
    """Return the expectation that there is a row."""
    return gxe.ExpectTableRowCountToBeBetween(min_value=1)


def columns_are(columns: Sequence[str]) -> Expectation:
    """Return the expectation that a table has these columns and no others, in any order."""
    return gxe.ExpectTableColumnsToMatchSet(column_set=list(columns))


def unique(key: Sequence[str]) -> Expectation:
    """Return the expectation that no two rows have the same key."""
    if len(key) == 1:
        return gxe.ExpectColumnProportionOfUniqueValuesToBeBetween(column=key[0], min_value=1.0)
    return gxe.ExpectCompoundColumnsToBeUnique(column_list=list(key))


def in_range(column: str, least: float | None, greatest: float | None) -> Iterator[Expectation]:
    """Yield the expectations that the values of a column, except nulls, have these limits."""
    if least is not None:
        yield ExpectColumnMinIfAnyToBeBetween(column=column, min_value=least)
    if greatest is not None:
        yield ExpectColumnMaxIfAnyToBeBetween(column=column, max_value=greatest)


def present(columns: Iterable[str]) -> Iterator[Expectation]:
    """Yield for each column the expectation that no value is null."""
    for column in columns:
        yield gxe.ExpectColumnProportionOfNonNullValuesToBeBetween(column=column, min_value=1.0)


def always(condition: str) -> Expectation:
    """Return the expectation that a column of a condition over the others is true in every row."""
    return gxe.ExpectColumnValuesToBeInSet(column=condition, value_set=[True])


def _met_if_empty(value: Any) -> dict[str, Any] | None:  # noqa: ANN401 - a value of any column
    """Return the result for a column without values: met; None if it has some."""
    return {"success": True, "result": {"observed_value": None}} if pd.isna(value) else None
