"""Mappings and layouts: files of another shape become the rows of a source."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from features.silver.raw import RAW_COLUMNS, UNREADABLE
from ontime_base.configuration import ConfError, conf_folder
from pipelines.sources.discovery import SourceError, find_files
from pipelines.sources.mappings import FileMapping, Layouts, ShapeError, load_mappings
from pipelines.sources.staging import StagedFile, stage_file
from tests.pipelines.bts_files import MONTHLY, OLD_MONTHLY, SELECTED, bts_csv, monthly_zip
from tests.pipelines.conftest import first_days
from tests.pipelines.source_files import INGESTED_AT, written

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


AIRLINES = RAW_COLUMNS["airlines"]
AIRLINE_MAPPING = FileMapping.model_validate(
    {
        "title": "their airlines",
        "source": "airlines",
        "columns": {"carrier": ["code", "id"], "name": ["title"]},
        "ours": {"column": "carrier", "among": ["UA"]},
    }
)
LAYOUTS = Layouts(AIRLINES, (AIRLINE_MAPPING,))


def test_the_source_s_own_shape_comes_first() -> None:
    # Given a file that has the columns of both / When its layout is requested / Then it is our own
    layout = LAYOUTS.of(["code", "title", "name", "carrier"])
    assert (layout.mapping, layout.ignored) == (None, ("code", "title"))


def test_the_first_name_that_a_file_has_is_read() -> None:
    assert LAYOUTS.of(["title", "id"]).reads == {"carrier": "id", "name": "title"}
    assert LAYOUTS.of(["title", "id", "code"]).reads == {"carrier": "code", "name": "title"}


def test_rows_of_other_airlines_are_left_out_and_undecidable_rows_stay() -> None:
    # Given rows of our airlines, of others, of none, and one that cannot be read
    layout = LAYOUTS.of(["title", "code"])
    columns = {
        "code": ["UA", "DL", None, "", None],
        "title": ["United", "Delta", "x", "y", None],
        UNREADABLE: [None, None, None, None, "1,2,3"],
    }
    rows = pa.table(
        {name: pa.chunked_array([values], pa.string()) for name, values in columns.items()}
    )
    # When they become rows of the source / Then only those of other airlines are removed
    taken = layout.only_taken(layout.to_source(rows))
    assert taken.column_names == [*AIRLINES, UNREADABLE]
    assert taken["name"].to_pylist() == ["United", "x", "y", None]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["carrier"], r"^lacks the column name \(it has carrier\)"),
        (["code", "x", "y"], r"^their airlines: lacks the column title \(it has code, x, y\)"),
        (["code", "code", "title"], r"has the column code more than once"),
        (["carrier;name"], r"separated by semicolons"),
    ],
)
def test_mismatched_columns_are_reported(names: list[str], sentence: str) -> None:
    with pytest.raises(ShapeError, match=sentence):
        LAYOUTS.of(names)


def test_the_bureau_s_files_are_not_taken_for_anything_else() -> None:
    # Given the mappings of flights / When a file of weather is matched / Then it has none of them
    layouts = Layouts(RAW_COLUMNS["flights"], load_mappings("flights"))
    with pytest.raises(ShapeError, match="lacks the columns"):
        layouts.of(RAW_COLUMNS["weather"])


COLUMNS = RAW_COLUMNS["flights"]
MONTH = "On_Time_Reporting_Carrier_On_Time_Performance_(1987_present)_2013_1.zip"


@lru_cache
def some_days() -> list[dict[str, str]]:
    """Return real flights: two days of January, with cancelled and diverted ones."""
    return [row for row in first_days("flights.csv.zip") if row["day"] in {"1", "13"}]


def staged(path: Path) -> StagedFile:
    (file,) = find_files([str(path)])
    folder = path.parent / "staging"
    folder.mkdir(exist_ok=True)
    return stage_file(file, COLUMNS, folder, at=INGESTED_AT, mappings=load_mappings("flights"))


def rows_of(file: StagedFile) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(file.path).to_pylist()
    return rows


def alike(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with its numbers as numbers, and every sign of a missing value as none."""
    texts = {name: row[name] for name in COLUMNS}
    return {
        name: None if text in {"NA", "", None} else _number(str(text))
        for name, text in texts.items()
    }


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


@pytest.mark.parametrize(
    ("name", "names"),
    [
        (MONTH, MONTHLY),
        ("On_Time_On_Time_Performance_2013_1.zip", OLD_MONTHLY),
        ("T.csv", SELECTED),
    ],
    ids=["monthly", "monthly of old", "selected columns"],
)
def test_each_layout_of_the_bureau_gives_the_rows_of_the_new_york_data(
    tmp_path: Path, name: str, names: dict[str, str]
) -> None:
    # Given real flights as the bureau lays them out, with 200 of Atlanta among them
    rows = some_days()
    text = bts_csv(rows, names, others=200)
    path = tmp_path / name
    if name.endswith("zip"):
        monthly_zip(path, text)
    else:
        written(path, text)
    # When the file is staged
    file = staged(path)
    # Then its rows are those of the New York data, value by value
    found = rows_of(file)
    assert [alike(row) for row in found] == [alike(row) for row in rows]
    assert {row["dep_time"] for row in rows} >= {"NA"}
    # And every row is either ours or counted as not ours
    assert (file.rows, file.filtered) == (len(rows), 200)
    assert file.shape == "BTS on-time performance"
    # And each has its number in the file
    numbers = [row["source_row"] for row in found]
    assert numbers[:3] == [1, 3, 4]
    assert sorted(set(numbers)) == numbers


def test_invalid_dates_and_times_stay_as_received(tmp_path: Path) -> None:
    # Given rows with a date and a clock that cannot be, midnight as 2400, and no origin
    good = some_days()[0]
    lines = bts_csv([good] * 4, SELECTED).splitlines()
    lines[1] = lines[1].replace("1/1/2013 12:00:00 AM", "13/13/2013")
    lines[2] = lines[2].replace('"0515"', '"5:15"')
    lines[3] = lines[3].replace('"0515"', '"2400"')
    lines[4] = lines[4].replace('"EWR"', '""')
    # When they are staged
    file = staged(written(tmp_path / "x.csv", "\n".join(lines) + "\n"))
    first, second, third, fourth = rows_of(file)
    # Then silver is given what was received, to refuse it by name
    assert (first["year"], first["time_hour"]) == ("13/13/2013", None)
    assert (second["hour"], second["minute"], second["time_hour"]) == ("5:15", "5:15", None)
    # And midnight is hour 24, which is hour 0 of the next day
    assert (third["hour"], third["minute"]) == ("24", "0")
    assert third["time_hour"] == "2013-01-02T05:00:00Z"
    # And a row without an airport is taken
    assert (file.filtered, fourth["origin"]) == (0, "")


@pytest.mark.parametrize(
    ("date", "clock", "time_hour"),
    [
        ("2013-03-10", "0100", "2013-03-10T06:00:00Z"),
        ("2013-03-10", "0300", "2013-03-10T07:00:00Z"),
        ("2013-11-03", "0000", "2013-11-03T04:00:00Z"),
        ("2013-11-03", "0130", "2013-11-03T05:00:00Z"),  # shown twice: the first
        ("2013-11-03", "0200", "2013-11-03T07:00:00Z"),
    ],
)
def test_hours_are_in_utc_also_when_clocks_change(
    tmp_path: Path, date: str, clock: str, time_hour: str
) -> None:
    text = bts_csv([some_days()[0]], MONTHLY)
    text = text.replace("2013-01-01", date).replace('"0515"', f'"{clock}"')
    (row,) = rows_of(staged(written(tmp_path / "x.csv", text)))
    assert row["time_hour"] == time_hour


def test_a_file_that_is_nearly_of_a_shape_names_what_it_lacks(tmp_path: Path) -> None:
    text = bts_csv([some_days()[0]], SELECTED).replace("AIR_TIME", "TIME_IN_AIR", 1)
    sentence = r"x\.csv BTS on-time performance: lacks the column AirTime/AIR_TIME \(it has OP_UNI"
    with pytest.raises(SourceError, match=sentence):
        staged(written(tmp_path / "x.csv", text))


def test_an_archive_without_any_of_our_airports_is_reported_not_refused(tmp_path: Path) -> None:
    rows = [row | {"origin": "ATL"} for row in some_days()[:5]]
    file = staged(monthly_zip(tmp_path / MONTH, bts_csv(rows, MONTHLY)))
    assert (file.rows, file.filtered) == (0, 5)


def mapping(folder: Path, **changes: Any) -> Path:
    """Write a mapping for airlines whose name is in another column, and return its conf folder."""
    data = {"title": "t", "source": "airlines", "columns": {"carrier": ["c"], "name": ["n"]}}
    (folder / "mappings").mkdir(exist_ok=True)
    (folder / "mappings" / "a.yaml").write_text(yaml.safe_dump(data | changes))
    return folder


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"colour": "red"}, r"a\.yaml is not valid: colour: Extra inputs"),
        ({"columns": {"carrier": ["c"]}}, r"does not make .* \(columns name\)"),
        ({"columns": {"carrier": ["c"], "name": ["n"], "x": ["x"]}}, r"\(columns x\)"),
        ({"source": "ships"}, r"\(source ships\)"),
    ],
)
def test_a_mapping_that_is_not_valid_is_named(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    source = changes.get("source", "airlines")
    with pytest.raises(ConfError, match=sentence):
        load_mappings(source, mapping(tmp_path, **changes))


def test_any_other_mapping_works_without_code(tmp_path: Path) -> None:
    # Given a custom mapping of planes, whose speed is in knots
    columns = {name: [f"their {name}"] for name in RAW_COLUMNS["planes"]}
    conf = mapping(tmp_path, source="planes", columns=columns, factors={"speed": 1.15078})
    mappings = load_mappings("planes", conf)
    header = ",".join(f"their {name}" for name in RAW_COLUMNS["planes"])
    body = "N1,2001,a,b,c,2,10,100,x\nN2,2001,a,b,c,2,10,fast,x\nN3,2001,a,b,c,2,10,NA,x\n"
    (file,) = find_files([str(written(tmp_path / "planes.csv", f"{header}\n{body}"))])
    # When a file of theirs is staged
    done = stage_file(file, RAW_COLUMNS["planes"], tmp_path, at=INGESTED_AT, mappings=mappings)
    # Then speeds are in our unit, and what is no number stays for silver to refuse
    assert [row["speed"] for row in rows_of(done)] == ["115", "fast", "NA"]


def test_the_mappings_of_the_repository_are_valid() -> None:
    names = sorted(path.stem for path in (conf_folder() / "mappings").glob("*.yaml"))
    loaded = [one for source in RAW_COLUMNS for one in load_mappings(source)]
    assert len(loaded) == len(names) >= 1
