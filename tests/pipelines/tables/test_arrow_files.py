"""Parquet files of Delta tables: written with statistics, read by day, committed together."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from pipelines.tables.arrow_files import (
    EARLIEST,
    LATEST,
    DayColumn,
    DayFile,
    day_span,
    files_of_folder,
    files_of_table,
    is_plain,
    read_days,
    replace_all,
    replace_days,
    write_file,
)

if TYPE_CHECKING:
    from pathlib import Path

DAY = DayColumn("day")
AT = DayColumn("at", is_instant=True)
JANUARY = [dt.date(2013, 1, day) for day in range(1, 32)]
SCHEMA = pa.schema(
    [
        ("day", pa.date32()),
        ("at", pa.timestamp("us", "UTC")),
        ("x", pa.float64()),
        ("t", pa.string()),
    ]
)


def rows(days: list[dt.date], x: float | None = 1.0) -> pa.Table:
    noon = [dt.datetime.combine(day, dt.time(12), dt.UTC) for day in days]
    columns: dict[str, list[Any]] = {
        "day": days,
        "at": noon,
        "x": [x] * len(days),
        "t": ["a"] * len(days),
    }
    return pa.table(columns, schema=SCHEMA)


def content(folder: Path) -> list[dict[str, Any]]:
    files = DeltaTable(str(folder)).file_uris()
    found = [row for file in files for row in pq.read_table(file).to_pylist()]
    return sorted(found, key=lambda row: (row["day"], row["x"] or 0))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of January in two files, one until the 15th."""
    folder = tmp_path / "t"
    adds = [write_file(rows(part), folder) for part in (JANUARY[:15], JANUARY[15:])]
    replace_all(folder, SCHEMA, adds, "first")
    return folder


def test_every_file_has_statistics_and_its_days(table: Path) -> None:
    # Given a table of two files / When its log is read
    files = sorted(files_of_table(table, DAY), key=lambda file: file.first)
    # Then each file has its days, by date and by instant
    assert [(file.first, file.last) for file in files] == [
        (JANUARY[0], JANUARY[14]),
        (JANUARY[15], JANUARY[30]),
    ]
    assert {file.first for file in files_of_table(table, AT)} == {JANUARY[0], JANUARY[15]}
    assert day_span(files, DAY) == (JANUARY[0], JANUARY[-1])
    # And the log has counts and ends of every column
    log = (table / "_delta_log" / "00000000000000000000.json").read_text().splitlines()
    add = next(json.loads(line)["add"] for line in log if '"add"' in line)
    statistics = json.loads(add["stats"])
    assert statistics["numRecords"] == 15
    assert statistics["maxValues"]["at"] == "2013-01-15T12:00:00.000Z"
    assert statistics["nullCount"] == {"day": 0, "at": 0, "x": 0, "t": 0}


def test_a_column_of_nulls_has_no_ends(tmp_path: Path) -> None:
    # Given rows without a value / When they are written / Then only their nulls are counted
    statistics = json.loads(write_file(rows(JANUARY[:2], None), tmp_path).stats)
    assert "x" not in statistics["minValues"]
    assert statistics["nullCount"]["x"] == 2


def test_a_range_is_read_from_the_files_that_can_have_it(table: Path) -> None:
    # Given the files, of which one that has other days cannot be opened
    first, second = sorted(files_of_table(table, DAY), key=lambda file: file.first)
    files = [first, DayFile("/nowhere.parquet", second.first, second.last)]
    # When days of the first are read, by date and by instant
    for column in (DAY, AT):
        found = read_days(files, ["x", "day"], column, JANUARY[2], JANUARY[4])
        # Then exactly these come back
        assert found["day"].to_pylist() == JANUARY[2:5]
    # And a range that no file has is empty, with the columns' types
    none = read_days([first], ["day"], DAY, dt.date(2020, 1, 1), dt.date(2020, 1, 1))
    assert (none.num_rows, none.schema.field("day").type) == (0, pa.date32())


def test_instants_of_spark_are_read_by_day(tmp_path: Path) -> None:
    # Given a file whose instants are written as Spark does by default (INT96, without a zone)
    path = tmp_path / "part.parquet"
    pq.write_table(rows(JANUARY), path, use_deprecated_int96_timestamps=True)
    # When a range is read by instant / Then its rows come back
    found = read_days([DayFile(str(path))], ["day"], AT, JANUARY[4], JANUARY[5])
    assert found["day"].to_pylist() == JANUARY[4:6]


def test_the_days_of_a_folder_of_files_are_read_from_their_footers(tmp_path: Path) -> None:
    # Given a file with statistics and one without
    pq.write_table(rows(JANUARY[:3]), tmp_path / "a.parquet")
    pq.write_table(rows(JANUARY[3:]), tmp_path / "b.parquet", write_statistics=False)
    # When the folder is listed
    known, unknown = files_of_folder(tmp_path, DAY)
    # Then the first has its days, the second can have any, and the span is read
    assert (known.first, known.last) == (JANUARY[0], JANUARY[2])
    assert (unknown.first, unknown.last) == (EARLIEST, LATEST)
    assert day_span([known, unknown], DAY) == (JANUARY[0], JANUARY[-1])


def test_a_table_with_a_later_protocol_is_left_to_spark(table: Path, tmp_path: Path) -> None:
    # Given a plain table and a place without one / Then both can be handled in columns
    assert is_plain(table)
    assert is_plain(tmp_path / "none")
    # And one that asks its readers for more cannot
    log = table / "_delta_log" / "00000000000000000001.json"
    features = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"]}
    features["writerFeatures"] = ["deletionVectors"]
    log.write_text(json.dumps({"protocol": features}) + "\n")
    assert not is_plain(table)


def test_the_whole_content_is_replaced_in_one_commit(table: Path) -> None:
    # Given a table, and a file of other rows with another column
    other = rows(JANUARY[:1], 2.0).append_column("y", pa.array([5], pa.int32()))
    # When it replaces all
    replace_all(table, other.schema, [write_file(other, table)], "second")
    # Then nothing else is left, in a commit with its description
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


def test_daily_replacements_do_not_add_one_small_file_each(table: Path) -> None:
    # Given that a file of fewer than ten rows is small
    small_rows = 10
    # When each day of February is written, with the day before it again
    february = [dt.date(2013, 2, day) for day in range(1, 29)]
    for before, day in zip([JANUARY[-1], *february], february, strict=False):
        add = write_file(rows([before, day], 2.0), table)
        replace_days(table, [add], DAY, [(before, day)], "new day", small_rows=small_rows)
    # Then every day is present once, in few files, and no unreferenced file is left
    expected = [
        *((day, 1.0) for day in JANUARY[:-1]),
        *((day, 2.0) for day in [JANUARY[-1], *february]),
    ]
    assert [(row["day"], row["x"]) for row in content(table)] == expected
    files = DeltaTable(str(table)).file_uris()
    assert len(files) <= 2 + len(february) // 9 + 1
    assert max(pq.read_metadata(file).num_rows for file in files) <= 16
