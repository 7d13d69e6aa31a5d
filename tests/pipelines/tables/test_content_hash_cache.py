"""The content hash after a range was replaced is that of the whole table read again."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from pipelines.tables.content_hash import content_hash_of
from pipelines.tables.content_hash_cache import ContentHashCache
from pipelines.tables.delta_tables import Tables
from tests.pipelines.tables.test_content_hash import days

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def written(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a table whose hash is cached: only copied."""
    home = tmp_path_factory.mktemp("written")
    tables = Tables(spark, str(home / "tables"))
    tables.replace("t", days(spark, 1, 9, 1.0), description="first")
    ContentHashCache(tables, home).update("t", where="true", before=None)
    return home


@pytest.fixture
def hashes(written: Path, tables: Tables, home: Path) -> ContentHashCache:
    shutil.copytree(written, home, dirs_exist_ok=True)
    return ContentHashCache(tables, home)


def test_after_a_replaced_range_it_is_the_hash_of_the_whole_table(
    spark: SparkSession, tables: Tables, hashes: ContentHashCache
) -> None:
    # Given a table whose hash is cached, and a range of it that changes, rows, values and all
    before = hashes.current("t")
    new = days(spark, 8, 12, None)
    tables.replace_where("t", new, predicate="day >= 8", description="range")
    # When the hash is updated
    after = hashes.update("t", where="day >= 8", before=before)
    # Then it is the one that reading everything gives, and is cached
    assert after == content_hash_of(tables.read("t"))
    assert after.digest == tables.content_hash("t")
    assert after.rows == 12
    assert hashes.current("t") == (1, after)


def test_a_commit_of_another_process_makes_it_read_the_table_again(
    spark: SparkSession, tables: Tables, hashes: ContentHashCache
) -> None:
    # Given a cached hash, and a commit by someone else before ours
    before = hashes.current("t")
    tables.replace_where("t", days(spark, 1, 1, 5.0), predicate="day = 1", description="other")
    assert hashes.current("t") is None
    tables.replace_where("t", days(spark, 9, 9, 7.0), predicate="day = 9", description="ours")
    # When it is updated for our range only / Then it is right all the same
    after = hashes.update("t", where="day = 9", before=before)
    assert after == content_hash_of(tables.read("t"))


def test_a_file_that_is_not_readable_is_ignored(hashes: ContentHashCache, home: Path) -> None:
    # Given a file that is not ours, one that is cut off, and none
    path = home / "contents" / "t" / "0.json"
    whole = path.read_text()
    assert hashes.current("t") is not None
    for text in ("[]", whole[:-5], "{}", whole.replace("first", "another table of that name")):
        path.write_text(text)
        # Then there is no hash of the current version
        assert hashes.current("t") is None
    assert hashes.current("u") is None
