"""Data docs: a page for each validated table, and an index of them, below `reports/data_docs/`.

The pages show what Great Expectations found. They are not of its own renderer, whose styles and
scripts come from the network: these open anywhere, also offline.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.html_pages import write_page

if TYPE_CHECKING:
    from great_expectations.core import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )

_TABLE_PAGE: Final = Path(__file__).with_name("data_docs.html")
_INDEX_PAGE: Final = Path(__file__).with_name("data_docs_index.html")
_MET, _BROKEN = "met", "broken"
_WHOLE_TABLE = "the table"
# Shown elsewhere on the page.
_NOT_SHOWN = ("column", "batch_id")
# Descriptions of the expectations that our suites use.
_DESCRIPTIONS = {
    "expect_table_row_count_to_be_between": "at least {min_value:,} row",
    "expect_table_columns_to_match_set": "these {columns} columns and no others",
    "expect_compound_columns_to_be_unique": "no two rows have the same {key}",
    "expect_column_proportion_of_unique_values_to_be_between": "no value is there twice",
    "expect_column_proportion_of_non_null_values_to_be_between": "never missing",
    "expect_column_min_if_any_to_be_between": "not less than {min_value:g}",
    "expect_column_max_if_any_to_be_between": "not more than {max_value:g}",
    "expect_column_values_to_be_in_set": "one of {value_set}",
}


@dataclass(frozen=True)
class _Row:
    """A line of a table's page."""

    column: str
    expected: str
    observed: str
    met: bool


@dataclass(frozen=True)
class _Link:
    """A line of the index."""

    name: str
    table: str
    verdict: str


def data_docs_index(home: Path) -> Path:
    """Return the index page of a home folder's data docs."""
    return home / "reports" / "data_docs" / "index.html"


def write_table_page(
    result: ExpectationSuiteValidationResult, *, table: str, rows: int, home: Path
) -> Path:
    """Write the page of a validation, rewrite the index, and return the page's path."""
    index = data_docs_index(home)
    for other in index.parent.glob(f"{table}.*.html"):
        other.unlink()
    found = [_row(each) for each in result.results]
    met, broken = [row for row in found if row.met], [row for row in found if not row.met]
    at = dt.datetime.now(dt.UTC)
    path = write_page(
        index.parent / f"{table}.{_BROKEN if broken else _MET}.html",
        _TABLE_PAGE,
        title=table,
        intro=f"{rows:,} rows; {len(met)} of {len(found)} expectations met, as Great "
        f"Expectations found on {at:%Y-%m-%d} at {at:%H:%M} UTC.",
        index=index.name,
        met=met,
        broken=broken,
    )
    _write_index(index)
    return path


def observed(found: ExpectationValidationResult) -> str:
    """Return the observed value of an expectation as text."""
    result, error = found.result, found.exception_info or {}
    if "unexpected_count" in result:
        return f"{result['unexpected_count']:,} of {result['element_count']:,} rows otherwise"
    if "observed_value" in result:
        return str(result["observed_value"])
    messages = [one.get("exception_message") for one in error.values() if isinstance(one, dict)]
    return str(messages[0] if messages else error.get("exception_message", "nothing"))


def _row(found: ExpectationValidationResult) -> _Row:
    config = found.expectation_config
    kwargs: dict[str, Any] = {} if config is None else config.kwargs
    kind = "" if config is None else config.type
    column = kwargs.get("column", _WHOLE_TABLE)
    return _Row(column, _describe(kind, kwargs), observed(found), bool(found.success))


def _describe(kind: str, kwargs: dict[str, Any]) -> str:
    """Return the description of an expectation; one that our suites do not use, by its own name."""
    if kind in _DESCRIPTIONS:
        key, columns = kwargs.get("column_list") or [], kwargs.get("column_set") or []
        return _DESCRIPTIONS[kind].format(**kwargs, key=", ".join(key), columns=len(columns))
    given = ", ".join(f"{key} {value}" for key, value in kwargs.items() if key not in _NOT_SHOWN)
    return f"{kind.removeprefix('expect_').replace('_', ' ')} ({given})"


def _write_index(index: Path) -> None:
    pages = sorted(index.parent.glob("*.*.html"))
    write_page(
        index,
        _INDEX_PAGE,
        title="Data docs",
        intro="The expectations of each table, and whether they were met when it was last written.",
        pages=[
            _Link(page.name, Path(page.stem).stem, page.stem.rpartition(".")[2]) for page in pages
        ],
    )
