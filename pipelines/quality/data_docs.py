"""Data docs: a page for each validated table, and an index of them, below `reports/data_docs/`.

The pages tell what Great Expectations found. They are our own rather than its renderer's, whose
styles and scripts come from the network: these open anywhere, also without one.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import pages
from pipelines.pages import Cell

if TYPE_CHECKING:
    from great_expectations.core import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )

_MET, _BROKEN = "met", "broken"
_TABLE = "the table"
_SAID = ("column", "batch_id")
# What our suites expect, in words.
_WORDS = {
    "expect_table_row_count_to_be_between": "at least {min_value:,} row",
    "expect_table_columns_to_match_set": "these {columns} columns and no others",
    "expect_compound_columns_to_be_unique": "no two rows have the same {key}",
    "expect_column_proportion_of_unique_values_to_be_between": "no value is there twice",
    "expect_column_proportion_of_non_null_values_to_be_between": "never missing",
    "expect_column_min_if_any_to_be_between": "not less than {min_value:g}",
    "expect_column_max_if_any_to_be_between": "not more than {max_value:g}",
    "expect_column_values_to_be_in_set": "one of {value_set}",
}


def data_docs_index(home: Path) -> Path:
    """Return the index page of a home folder's data docs."""
    return home / "reports" / "data_docs" / "index.html"


def write_page(
    result: ExpectationSuiteValidationResult, *, table: str, rows: int, home: Path
) -> Path:
    """Write the page of a validation, renew the index, and return the page's path."""
    index = data_docs_index(home)
    index.parent.mkdir(parents=True, exist_ok=True)
    for other in index.parent.glob(f"{table}.*.html"):
        other.unlink()
    broken = [found for found in result.results if not found.success]
    at = dt.datetime.now(dt.UTC)
    sections = [f'<p><a href="{index.name}">All tables</a></p>']
    if broken:
        sections += ["<h2>Not met</h2>", _found_table(broken)]
    met = [found for found in result.results if found.success]
    sections += ["<h2>Met</h2>", _found_table(met)]
    path = pages.write_page(
        index.parent / f"{table}.{_BROKEN if broken else _MET}.html",
        title=table,
        intro=f"{rows:,} rows; {len(met)} of {len(result.results)} expectations met, as Great "
        f"Expectations found on {at:%Y-%m-%d} at {at:%H:%M} UTC.",
        body="\n".join(sections),
    )
    _write_index(index)
    return path


def observed(found: ExpectationValidationResult) -> str:
    """Return in words what was observed where something was expected."""
    result, error = found.result, found.exception_info or {}
    if "unexpected_count" in result:
        return f"{result['unexpected_count']:,} of {result['element_count']:,} rows otherwise"
    if "observed_value" in result:
        return str(result["observed_value"])
    messages = [one.get("exception_message") for one in error.values() if isinstance(one, dict)]
    return str(messages[0] if messages else error.get("exception_message", "nothing"))


def _found_table(results: list[ExpectationValidationResult]) -> str:
    return pages.table_of(("Column", "Expected", "Observed", ""), map(_row, results))


def _row(found: ExpectationValidationResult) -> tuple[Cell | str, ...]:
    config = found.expectation_config
    kwargs: dict[str, Any] = {} if config is None else config.kwargs
    kind = "" if config is None else config.type
    verdict = Cell(_MET, "good") if found.success else Cell(_BROKEN, "bad")
    return (
        kwargs.get("column", _TABLE),
        _words(kind, kwargs),
        Cell(observed(found), "quiet"),
        verdict,
    )


def _words(kind: str, kwargs: dict[str, Any]) -> str:
    """Return an expectation in words; those that our suites do not use, as they are called."""
    if kind in _WORDS:
        key, columns = kwargs.get("column_list") or [], kwargs.get("column_set") or []
        return _WORDS[kind].format(**kwargs, key=", ".join(key), columns=len(columns))
    given = ", ".join(f"{key} {value}" for key, value in kwargs.items() if key not in _SAID)
    return f"{kind.removeprefix('expect_').replace('_', ' ')} ({given})"


def _write_index(index: Path) -> None:
    rows = []
    for page in sorted(index.parent.glob("*.*.html")):
        table, verdict = Path(page.stem).stem, page.stem.rpartition(".")[2]
        style = "good" if verdict == _MET else "bad"
        rows.append((Cell(table, link=page.name), Cell(verdict, style)))
    pages.write_page(
        index,
        title="Data docs",
        intro="What each table was expected to be, and what was found when it was last written.",
        body=pages.table_of(("Table", "Expectations"), rows),
    )
