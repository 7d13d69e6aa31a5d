"""Places: where source files are, and how they are listed and opened there."""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol
from urllib.parse import unquote

from pyarrow import fs

if TYPE_CHECKING:
    from collections.abc import Iterator

S3 = "s3://"


class Place(Protocol):
    """A system of files."""

    def is_file(self, path: str) -> bool:
        """Return whether there is a file."""

    def files_in(self, folder: str) -> Iterator[str]:
        """Yield the paths of the files right in a folder, in any order; none if it is not there."""

    def open(self, path: str) -> IO[bytes]:
        """Return a file, open for reading and seeking."""


class ArrowPlace:
    """Files of this machine, or of another system that pyarrow knows.

    Args:
        filesystem: The system.
    """

    def __init__(self, filesystem: fs.FileSystem) -> None:
        self._filesystem = filesystem

    def is_file(self, path: str) -> bool:
        """Return whether there is a file."""
        return bool(self._filesystem.get_file_info(path).type == fs.FileType.File)

    def files_in(self, folder: str) -> Iterator[str]:
        """Yield the paths of the files right in a folder."""
        selector = fs.FileSelector(folder, allow_not_found=True)
        for entry in self._filesystem.get_file_info(selector):
            if entry.is_file:
                yield entry.path

    def open(self, path: str) -> IO[bytes]:
        """Return a file, open for reading and seeking."""
        return io.BufferedReader(self._filesystem.open_input_file(path))


def place_of(where: str) -> tuple[Place, str]:
    """Return the system that a path or URI is of, and the path in it.

    Raises:
        ArrowInvalid: The URI is of no system that is known.
    """
    if where.startswith(S3):
        from pipelines.s3_files import S3Place  # noqa: PLC0415 - boto3 takes 0.5 s

        return S3Place(), where.removeprefix(S3)
    if where.startswith("file:"):  # not left to pyarrow: a glob's ? is no query
        where = unquote(where.removeprefix("file:").removeprefix("//localhost"))
        where = f"/{where.lstrip('/')}"
    elif "://" in where:
        filesystem, path = fs.FileSystem.from_uri(where)
        return ArrowPlace(filesystem), path
    return ArrowPlace(fs.LocalFileSystem()), str(Path(where).expanduser().absolute())
