from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from pipelines.sources.discovery import place_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["plain.csv", "with blank.csv", "with?sign.csv", "100%.csv"])
@pytest.mark.parametrize("start", ["file://", "file:", "file://localhost"])
def test_a_file_uri_is_the_file(tmp_path: Path, name: str, start: str) -> None:
    # Given a file whose name a URI has to write otherwise
    (tmp_path / name).write_bytes(b"x")
    uri = (tmp_path / name).as_uri().replace("file://", start)
    # When the place of its URI, or of its path, is opened / Then it is that file
    for where in (uri, str(tmp_path / name)):
        system, path = place_of(where)
        assert system.is_file(path)
        with system.open(path) as stream:
            assert stream.read() == b"x"


def test_a_folder_has_its_files_and_not_its_folders(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    for name in ("a", "b", "deeper/c"):
        (tmp_path / name).write_text("x")
    system, path = place_of(str(tmp_path))
    assert not system.is_file(path)
    assert sorted(system.files_in(path)) == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert list(system.files_in(str(tmp_path / "nowhere"))) == []


def test_a_system_that_is_not_known_is_an_error() -> None:
    with pytest.raises(pa.ArrowInvalid, match="gopher"):
        place_of("gopher://x/y")
