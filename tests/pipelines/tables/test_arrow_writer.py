"""Commits of files: the whole of a table, or ranges of its days, and no more files than needed."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from pipelines.tables import arrow_writer
from pipelines.tables.arrow_writer import replace_all, replace_days, write_file
from tests.pipelines.tables.test_arrow_writer_columnar import DAY, JANUARY, content, rows, table

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

__all__ = ["table"]  # a fixture


def test_the_whole_content_is_replaced_in_one_commit(table: Path) -> None:
    # Given a table, and a file of other rows with another column
    other = rows(JANUARY[:1], 2.0).append_column("y", pa.array([5], pa.int32()))
    # When it replaces all
    replace_all(table, other.schema, [write_file(other, table)], "second")
    # Then nothing else is left, in a commit that says what it is
    assert [row["y"] for row in content(table)] == [5]
    last = DeltaTable(str(table)).history(1)[0]
    assert (last["version"], last["userMetadata"]) == (1, "second")


def test_days_are_replaced_and_others_of_the_same_files_stay(table: Path) -> None:
    # Given new rows for three days, which two files have, and for another one
    ranges = [(JANUARY[13], JANUARY[15]), (JANUARY[20], JANUARY[20])]
    days = [*JANUARY[13:16], JANUARY[20]]
    adds = [write_file(rows(part, 2.0), table) for part in (days[:3], days[3:])]
    # When they replace these days
    replace_days(table, adds, DAY, ranges, "repair")
    # Then these days are new, all others as before, in one commit
    assert [(row["day"], row["x"]) for row in content(table)] == [
        (day, 2.0 if day in days else 1.0) for day in JANUARY
    ]
    assert DeltaTable(str(table)).version() == 1


def test_a_new_day_touches_no_file(table: Path) -> None:
    # Given a day after all others / When it is put in its place
    before = set(DeltaTable(str(table)).file_uris())
    day = dt.date(2013, 2, 1)
    replace_days(table, [write_file(rows([day]), table)], DAY, [(day, day)], "new day")
    # Then all files from before are still the table's
    assert before < set(DeltaTable(str(table)).file_uris())


def test_day_after_day_does_not_make_file_after_file(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given that a file of fewer than ten rows is small
    monkeypatch.setattr(arrow_writer, "SMALL_ROWS", 10)
    # When each day of February comes, with the day before it once more
    february = [dt.date(2013, 2, day) for day in range(1, 29)]
    for before, day in zip([JANUARY[-1], *february], february, strict=False):
        add = write_file(rows([before, day], 2.0), table)
        replace_days(table, [add], DAY, [(before, day)], "new day")
    # Then every day is there once, in few files, and none lies about that the table does not name
    expected = [
        *((day, 1.0) for day in JANUARY[:-1]),
        *((day, 2.0) for day in [JANUARY[-1], *february]),
    ]
    assert [(row["day"], row["x"]) for row in content(table)] == expected
    files = DeltaTable(str(table)).file_uris()
    assert len(files) <= 2 + len(february) // 9 + 1
    assert max(pq.read_metadata(file).num_rows for file in files) <= 16
