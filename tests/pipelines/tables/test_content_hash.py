"""The content hash after a range was replaced is that of the whole table read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipelines.tables.content_hash import Content, Contents, content_of

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

    from pipelines.tables.delta_tables import Tables

pytestmark = pytest.mark.spark


def days(spark: SparkSession, first: int, last: int, value: float | None) -> DataFrame:
    rows = [(day, value, f"flight {day}") for day in range(first, last + 1)]
    return spark.createDataFrame(rows, "day int, x double, t string")


@pytest.fixture
def contents(spark: SparkSession, tables: Tables, home: Path) -> Contents:
    tables.replace("t", days(spark, 1, 9, 1.0), description="first")
    found = Contents(tables, home)
    found.after("t", where="true", before=None)
    return found


def test_after_a_range_it_is_what_the_whole_table_is(
    spark: SparkSession, tables: Tables, contents: Contents
) -> None:
    # Given a table whose content is known, and a range of it that changes, rows, values and all
    before = contents.known("t")
    new = days(spark, 8, 12, None)
    tables.replace_where("t", new, predicate="day >= 8", description="range")
    # When the content is brought up to date
    after = contents.after("t", where="day >= 8", before=before)
    # Then it is the one that reading everything gives, and is kept
    assert after == content_of(tables.read("t"))
    assert after.digest == tables.content_hash("t")
    assert after.rows == 12
    assert contents.known("t") == (1, after)


def test_a_commit_that_was_not_seen_makes_it_read_again(
    spark: SparkSession, tables: Tables, contents: Contents
) -> None:
    # Given a content that is known, and a commit by someone else before ours
    before = contents.known("t")
    tables.replace_where("t", days(spark, 1, 1, 5.0), predicate="day = 1", description="other")
    assert contents.known("t") is None
    tables.replace_where("t", days(spark, 9, 9, 7.0), predicate="day = 9", description="ours")
    # When it is brought up to date for our range only / Then it is right all the same
    after = contents.after("t", where="day = 9", before=before)
    assert after == content_of(tables.read("t"))


def test_what_is_kept_and_not_readable_is_not_known(contents: Contents, home: Path) -> None:
    # Given a file that is not ours, one that is cut off, and none
    path = home / "contents" / "t" / "0.json"
    whole = path.read_text()
    assert contents.known("t") is not None
    for text in ("[]", whole[:-5], "{}", whole.replace("first", "another table of that name")):
        path.write_text(text)
        # Then the content is not known
        assert contents.known("t") is None
    assert contents.known("u") is None


def test_an_empty_table_has_a_content(spark: SparkSession) -> None:
    # Given no rows / Then the content is none, and differs from that of other columns
    empty, other = days(spark, 1, 0, None), days(spark, 1, 0, None).drop("t")
    assert (content_of(empty).rows, content_of(empty).sums) == (0, (0, 0))
    assert content_of(empty).digest != content_of(other).digest


def test_what_goes_and_comes_is_counted() -> None:
    # Given a content / When rows go and come / Then rows and sums follow
    whole = Content((("x", "int"),), 5, (100, 200))
    old, new = Content((("x", "int"),), 2, (30, 40)), Content((("x", "int"),), 1, (1, -2))
    assert whole.replaced(old, new) == Content((("x", "int"),), 4, (71, 158))
