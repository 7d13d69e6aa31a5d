from __future__ import annotations

import datetime as dt
import io
import zipfile
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.sources.discovery import SourceError, find_files
from pipelines.sources.staging import stage_file
from tests.pipelines.source_files import (
    COLUMNS,
    INGESTED_AT,
    ROWS,
    csv_text,
    json_text,
    parquet_bytes,
    written,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.sources.staging import StagedFile

TABLE = pa.Table.from_pylist(ROWS)


def staged(path: Path, columns: tuple[str, ...] = COLUMNS) -> StagedFile:
    (file,) = find_files([str(path)])
    folder = path.parent / "staging"
    folder.mkdir(exist_ok=True)
    return stage_file(file, columns, folder, at=INGESTED_AT)


def rows_of(file: StagedFile) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(file.path).to_pylist()
    return rows


@pytest.mark.parametrize("compression", ["", ".gz", ".zip"])
@pytest.mark.parametrize(
    ("ending", "content"),
    [
        (".csv", csv_text()),
        (".csv", "\ufeff" + csv_text().replace("\n", "\r\n")),
        (".jsonl", json_text()),
        (".json", "[" + json_text().strip().replace("\n", ",\n") + "]"),
        (".parquet", parquet_bytes(TABLE)),
    ],
    ids=["csv", "csv of windows", "json lines", "json array", "parquet"],
)
def test_every_format_and_wrapping_gives_the_same_rows(
    tmp_path: Path, ending: str, content: str | bytes, compression: str
) -> None:
    path = written(tmp_path / f"airports{ending}{compression}", content)

    file = staged(path)

    assert (file.rows, file.ignored) == (2, ())
    lineage = {
        "unreadable": None,
        "source_file": path.name,
        "source_checksum": file.source.checksum,
        "ingested_at": INGESTED_AT,
    }
    assert rows_of(file) == [
        {**row, **lineage, "source_row": number} for number, row in enumerate(ROWS, start=1)
    ]


def test_values_of_other_types_become_text(tmp_path: Path) -> None:
    at = dt.datetime(2013, 1, 1, 10, tzinfo=dt.UTC)
    table = pa.table(
        {"a": [517.0, float("nan")], "b": [5, None], "c": [at, None], "d": [True, None]}
    )
    lines = '{"a": 517.0, "b": 5, "c": "2013-01-01 10:00:00Z", "d": true}\n{"a": null}\n'

    from_parquet = rows_of(
        staged(written(tmp_path / "x.parquet", parquet_bytes(table)), ("a", "b", "c", "d"))
    )
    from_json = rows_of(staged(written(tmp_path / "x.jsonl", lines), ("a", "b", "c", "d")))

    for first, second in (from_parquet, from_json):
        assert float(first["a"]) == 517
        assert first["b"] == "5"
        assert (first["c"][:19], first["c"][-1]) == ("2013-01-01 10:00:00", "Z")
        assert first["d"] == "true"
        assert [second[name] for name in "abcd"] == [None] * 4


def test_an_invalid_line_is_stored_with_its_line_number(tmp_path: Path) -> None:
    good = csv_text().splitlines()
    lines = [good[0], "too,few", good[1], "", *["x," * 8 + "x"] * 2, good[2], "end"]
    text = json_text().splitlines()

    from_csv = rows_of(staged(written(tmp_path / "x.csv", "\n".join(lines) + "\n")))
    from_json = rows_of(
        staged(written(tmp_path / "x.jsonl", "\n".join([text[0], "{oops", "[1]", text[1]])))
    )

    assert [(row["source_row"], row["faa"], row["unreadable"]) for row in from_csv] == [
        (1, None, "too,few"),
        (2, "JFK", None),
        (3, None, "x," * 8 + "x"),
        (4, None, "x," * 8 + "x"),
        (5, "BQN", None),
        (6, None, "end"),
    ]
    assert [(row["source_row"], row["faa"], row["unreadable"]) for row in from_json] == [
        (1, "JFK", None),
        (2, None, "{oops"),
        (3, None, "[1]"),
        (4, "BQN", None),
    ]


def test_bad_lines_have_their_line_numbers_across_blocks(tmp_path: Path) -> None:
    # Given a file of several blocks in which every thousandth line is bad
    bad = "y" * 40
    lines = [bad if number % 1000 == 0 else f"{number},{'x' * 90}" for number in range(1, 200_001)]
    # When it is staged
    file = staged(written(tmp_path / "x.csv", "a,b\n" + "\n".join(lines)), ("a", "b"))
    # Then every row has the number of its line
    table = pq.read_table(file.path)
    numbers = table["source_row"].to_pylist()
    assert numbers == list(range(1, 200_001))
    assert [int(a) for a in table["a"].to_pylist() if a] == [n for n in numbers if n % 1000]
    assert table["unreadable"].null_count == 200_000 - 200


def test_unknown_columns_are_reported(tmp_path: Path) -> None:
    more = [{**row, "extra": "1", "more": "2"} for row in ROWS]

    assert staged(written(tmp_path / "a.csv", csv_text(more))).ignored == ("extra", "more")
    assert staged(written(tmp_path / "a.jsonl", json_text(more))).ignored == ("extra", "more")


FEWER = [{key: value for key, value in row.items() if key not in {"lat", "lon"}} for row in ROWS]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", "", r"a\.csv is empty \(0 bytes\)"),
        ("a.parquet", b"", r"a\.parquet is empty \(0 bytes\)"),
        ("a.csv", csv_text().splitlines()[0] + "\n", r"a\.csv has no rows"),
        ("a.csv.gz", "", r"a\.csv\.gz is not CSV text \(Empty CSV file\)"),
        ("a.jsonl", "\n\n", r"a\.jsonl has no rows"),
        ("a.csv", csv_text(FEWER), r"a\.csv lacks the columns lat, lon \(it has faa, name, alt"),
        ("a.jsonl", json_text(FEWER), r"a\.jsonl lacks the columns lat, lon"),
        ("a.csv", csv_text().replace("dst", "tz", 1), r"a\.csv lacks the column dst"),
        ("a.csv", csv_text().replace("name", "name,name", 1), r"column name more than once"),
        ("a.csv", csv_text().encode().replace(b"Aguadilla", b"Aguad\xe9"), r"a\.csv is not UTF-8"),
        ("a.json", "[{", r"a\.json is not a JSON array of objects"),
        ("a.parquet", b"PAR1 and no more of it", r"a\.parquet is not whole Parquet"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_by_name(
    tmp_path: Path, name: str, content: str | bytes, sentence: str
) -> None:
    with pytest.raises(SourceError, match=sentence):
        staged(written(tmp_path / name, content))


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv.zip", "a.parquet"])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    # Given a file of which the second half is overwritten
    content = parquet_bytes(TABLE) if name.endswith("parquet") else csv_text() * 200
    path = written(tmp_path / name, content)
    whole = path.read_bytes()
    # When it is cut, or holds other bytes / Then it is refused
    half = len(whole) // 2
    for broken in (whole[:half], whole[:half] + b"\0" * 30 + whole[half + 30 :], b"something else"):
        path.write_bytes(broken)
        with pytest.raises(SourceError, match=rf"{name} is (damaged|not whole)"):
            staged(path)


def test_an_archive_of_several_data_files_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.csv", csv_text())
        archive.writestr("b.csv", csv_text())
        archive.writestr("readme.html", "")
    path = tmp_path / "two.zip"
    path.write_bytes(stream.getvalue())

    with pytest.raises(SourceError, match=r"two\.zip holds 2 data files rather than one"):
        staged(path)


def test_the_one_data_file_of_an_archive_is_found_among_others(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("readme.html", "<p>")
        archive.writestr("../../escape/data.csv", csv_text())
        archive.writestr("__MACOSX/data.csv", "junk")
    path = tmp_path / "month.zip"
    path.write_bytes(stream.getvalue())

    assert staged(path).rows == 2
    assert not (tmp_path.parent / "escape").exists()


def test_values_of_several_lines_are_read_as_they_are(tmp_path: Path) -> None:
    # Given a file of several blocks in which many values have line breaks, commas and quotes
    values = [f'{number} "a",\r\n{"x" * 150}\n' for number in range(60_000)]
    rows: list[dict[str, str | None]] = [{"a": value, "b": "1"} for value in values]
    # When it is staged
    file = staged(written(tmp_path / "x.csv", csv_text(rows)), ("a", "b"))
    # Then each is one row, in order, with its number
    table = pq.read_table(file.path)
    assert table["a"].to_pylist() == values
    assert table["source_row"].to_pylist() == list(range(1, 60_001))
    assert table["unreadable"].null_count == 60_000


def test_an_invalid_row_of_several_lines_is_stored_whole(tmp_path: Path) -> None:
    file = staged(written(tmp_path / "x.csv", 'a,b\n1,2\n1,"2\n3",4\n5,6\n'), ("a", "b"))
    assert [(row["a"], row["unreadable"]) for row in rows_of(file)] == [
        ("1", None),
        (None, '1,"2\n3",4'),
        ("5", None),
    ]


@pytest.mark.parametrize("text", ['1,2\n3,"4\n5,6\n', '1,2\n3,"4\n5,"6"\n7,8\n'])
def test_a_quote_that_is_not_closed_does_not_swallow_rows(tmp_path: Path, text: str) -> None:
    # Given a file in which lines would run into one value / When / Then it is refused
    with pytest.raises(SourceError, match=r"x\.csv has a quote that is not closed"):
        staged(written(tmp_path / "x.csv", f"a,b\n{text}"), ("a", "b"))


def test_a_single_quote_sign_inside_a_value_is_a_quote_sign(tmp_path: Path) -> None:
    file = staged(written(tmp_path / "x.csv", 'a,b\n1,5" pipe\n2,3\n'), ("a", "b"))
    assert [row["b"] for row in rows_of(file)] == ['5" pipe', "3"]


@pytest.mark.parametrize(
    ("sign", "words"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")], ids=str
)
def test_other_delimiters_are_refused_by_name(tmp_path: Path, sign: str, words: str) -> None:
    text = csv_text().replace(",", sign)
    with pytest.raises(SourceError, match=rf"has its values separated by {words}, and only commas"):
        staged(written(tmp_path / "x.csv", text))


def test_json_lines_of_windows_are_read(tmp_path: Path) -> None:
    text = "\ufeff" + json_text().replace("\n", "\r\n")
    assert [row["faa"] for row in rows_of(staged(written(tmp_path / "x.jsonl", text)))] == [
        "JFK",
        "BQN",
    ]


def test_text_in_utf_16_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"x\.csv is not UTF-8 text"):
        staged(written(tmp_path / "x.csv", csv_text().encode("utf-16")))
