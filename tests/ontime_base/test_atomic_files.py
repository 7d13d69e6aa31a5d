"""A file is written in one step, in folders that are created, with nothing left beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ontime_base.atomic_files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    # Given a path in folders that are not there
    path = tmp_path / "a" / "b" / "file.json"
    # When it is written twice
    for body in (b"old and longer", b"new"):
        write_atomically(path, body)
    # Then it is the second, and alone
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    # Given a file, and a folder where another should be
    path = tmp_path / "file.json"
    write_atomically(path, b"old")
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    # When writing fails half-way, at the rename
    with pytest.raises(OSError, match="folder"):
        write_atomically(tmp_path / "folder", b"new")
    # Then the file is as it was, and nothing unfinished lies beside it
    assert path.read_bytes() == b"old"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file.json", "folder"]
