from __future__ import annotations

import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pandas as pd

from pipelines.quality.data_docs import data_docs_index, observed, write_table_page
from pipelines.quality.validation import evaluate

if TYPE_CHECKING:
    from pathlib import Path


def results(*, most: float) -> Any:
    """Return what Great Expectations really finds in a table of two winds."""

    def expectations() -> list[Any]:
        import great_expectations.expectations as gxe  # noqa: PLC0415 - warns as it is imported

        from pipelines.quality import expectation_builders as expect  # noqa: PLC0415 - likewise

        return [
            expect.not_empty(),
            *expect.in_range("wind", 0, most),
            *expect.present(["wind"]),
            expect.columns_are(["wind", "airport"]),
            expect.unique(["airport"]),
            expect.unique(["airport", "wind"]),
            gxe.ExpectColumnMeanToBeBetween(column="wind", min_value=1),
        ]

    frame = pd.DataFrame({"wind": [3.0, 9.0], "airport": ["JFK", "EWR"]})
    return evaluate(frame, "silver_weather", expectations)


def test_a_page_shows_what_was_expected_and_what_was_observed(tmp_path: Path) -> None:
    # Given a validation in which one expectation is not met / When its page is written
    page = write_table_page(results(most=8.5), table="silver_weather", rows=26_114, home=tmp_path)
    # Then it shows each in words, the broken one first
    text = re.sub(r"\s*(<[^>]+>\s*)+", "|", page.read_text())
    assert "26,114 rows; 7 of 8 expectations met" in text
    assert re.search(r"Not met\|.*\|wind\|not more than 8\.5\|9\.0\|broken\|", text, re.DOTALL)
    assert text.index("not more than 8.5") < text.index("at least 1 row")
    for words in (
        "|wind|not less than 0|3.0|met|",
        "|wind|never missing|",
        "|the table|these 2 columns and no others|",
        "|airport|no value is there twice|",
        "|the table|no two rows have the same airport, wind|",
        "|wind|column mean to be between (min_value 1.0",
    ):
        assert words in text
    # And it needs no network
    assert "http" not in page.read_text()


def test_the_index_links_the_last_page_of_each_table(tmp_path: Path) -> None:
    # Given a table that was broken and then mended, and another one
    broken, met = results(most=8.5), results(most=10)
    write_table_page(broken, table="a", rows=1, home=tmp_path)
    write_table_page(met, table="a", rows=1, home=tmp_path)
    write_table_page(broken, table="b", rows=1, home=tmp_path)
    # When the index is read / Then it has one line for each
    index = data_docs_index(tmp_path)
    links = re.findall(r'href="([^"]+)"', index.read_text())
    assert links == ["a.met.html", "b.broken.html"]
    assert all((index.parent / link).exists() for link in links)


def test_an_error_is_shown_as_observed() -> None:
    # Given an expectation that could not be evaluated / When / Then its error is shown
    error = {"metric": {"exception_message": "no such column"}}
    failed: Any = SimpleNamespace(result={}, exception_info=error)
    assert observed(failed) == "no such column"
