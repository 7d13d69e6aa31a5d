"""Source files: found at the locations that conf names, with their formats and checksums.

A location is a file, a folder, a glob or a URI on this machine's disk, in S3, or on another file
system that pyarrow supports.
"""

from __future__ import annotations

import fnmatch
import hashlib
import io
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol
from urllib.parse import unquote

import pyarrow as pa
from pyarrow import fs

from ontime_base.configuration import conf_folder
from ontime_base.errors import OntimeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

S3 = "s3://"
PACKAGE = "package:"
CONF = "conf:"
FORMATS = {
    "csv": "csv",
    "json": "json",
    "jsonl": "json",
    "ndjson": "json",
    "parquet": "parquet",
    "pq": "parquet",
}
COMPRESSIONS = ("gz", "zip")
_CHUNK = 1 << 20


class SourceError(OntimeError):
    """A source file is missing, unreadable or not of the expected shape; names it."""


class FileSystem(Protocol):
    """A file system that source files are in."""

    def is_file(self, path: str) -> bool:
        """Return whether there is a file."""

    def files_in(self, folder: str) -> Iterator[str]:
        """Yield the paths of the files right in a folder, in any order; none if it is not there."""

    def open(self, path: str) -> IO[bytes]:
        """Return a file, open for reading and seeking."""


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One source file.

    Attributes:
        location: Its path or URI, for messages.
        name: Its name without folders: the `source_file` of its rows.
        format: `csv`, `json` (lines, or one array) or `parquet`.
        compression: `gz` or `zip`; None: plain.
        checksum: SHA-256 of its bytes, in hex.
        system: The file system it is in.
        path: Its path there.
    """

    location: str
    name: str
    format: str
    compression: str | None
    checksum: str
    system: FileSystem
    path: str

    def open(self) -> IO[bytes]:
        """Return the file, open for reading and seeking."""
        return self.system.open(self.path)


def find_files(locations: Sequence[str]) -> list[SourceFile]:
    """Return the source files at some locations, each content once, in the order of their names.

    Args:
        locations: Files, folders, globs or URIs; `package:<distribution>/<path>` is a file inside
            an installed package, which is not imported, and `conf:<path>` one in the conf folder.

    Raises:
        SourceError: There is no file at a location, or none of a known format.
    """
    found = [file for location in locations for file in _files_at(location)]
    once = {file.checksum: file for file in reversed(found)}
    return sorted(once.values(), key=lambda file: (file.name, file.checksum))


class ArrowFileSystem:
    """The file system of this machine, or another that pyarrow supports.

    Args:
        filesystem: The file system.
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


def open_file_system(uri: str) -> tuple[FileSystem, str]:
    """Return the file system of a path or URI, and the path in it.

    Raises:
        ArrowInvalid: No known file system has such URIs.
    """
    if uri.startswith(S3):
        from pipelines.sources.s3_files import S3FileSystem  # noqa: PLC0415 - boto3 takes 0.5 s

        return S3FileSystem(), uri.removeprefix(S3)
    if uri.startswith("file:"):  # not left to pyarrow: a glob's ? is no query
        uri = unquote(uri.removeprefix("file:").removeprefix("//localhost"))
        uri = f"/{uri.lstrip('/')}"
    elif "://" in uri:
        filesystem, path = fs.FileSystem.from_uri(uri)
        return ArrowFileSystem(filesystem), path
    return ArrowFileSystem(fs.LocalFileSystem()), str(Path(uri).expanduser().absolute())


def _files_at(location: str) -> Iterator[SourceFile]:
    where = _resolve(location)
    try:
        system, path = open_file_system(where)
        paths = list(_paths(system, path))
        if not paths:
            raise SourceError(f"There is no source file at {where}: correct `sources` in conf/.")
        known = [one for one in paths if _kind(one) is not None]
        if not known:
            raise SourceError(
                f"No source file at {where} has a known format: name files that end in "
                f"{', '.join('.' + ending for ending in FORMATS)}, plain or with .gz or .zip added."
            )
        in_s3 = where.startswith(S3)
        for one in known:
            shown = where if one == path else one
            yield _source_file(system, one, f"{S3}{one}" if in_s3 else shown)
    except (OSError, pa.ArrowInvalid) as error:
        raise SourceError(f"The source {where} cannot be read: {_short(error)}.") from error


def _resolve(location: str) -> str:
    if location.startswith(PACKAGE):
        return _in_package(location)
    if location.startswith(CONF):
        return str(conf_folder() / location.removeprefix(CONF))
    return location


def _in_package(location: str) -> str:
    """Return the path of a file of an installed distribution, without importing it."""
    distribution, _, inside = location.removeprefix(PACKAGE).partition("/")
    try:
        listed = files(distribution) or []
    except PackageNotFoundError as error:
        raise SourceError(
            f"The source {location} is in the Python package {distribution}, which is not "
            "installed: run `make setup`, or name another source in conf/."
        ) from error
    for file in listed:
        if file.as_posix() == f"{distribution}/{inside}":
            return str(file.locate())
    raise SourceError(
        f"The installed package {distribution} has no file {inside}: run `make setup` again, or "
        "name another source in conf/."
    )


def _paths(system: FileSystem, path: str) -> Iterator[str]:
    """Yield the file, the visible files in the folder, or those that match the glob, in order."""
    if system.is_file(path):
        yield path
        return
    folder, pattern = path, "*"
    if any(sign in path.rpartition("/")[2] for sign in "*?["):
        folder, _, pattern = path.rpartition("/")
    for one in sorted(system.files_in(folder)):
        name = one.rpartition("/")[2]
        if not name.startswith((".", "_")) and fnmatch.fnmatchcase(name, pattern):
            yield one


def _kind(path: str) -> tuple[str, str | None] | None:
    """Return format and compression by the file's name, or None if they are not known."""
    parts = path.rpartition("/")[2].lower().split(".")
    compression = parts.pop() if parts[-1] in COMPRESSIONS else None
    file_format = FORMATS.get(parts[-1]) if len(parts) > 1 else None
    if file_format is None and compression == "zip":
        file_format = "csv"  # the name of a monthly archive often has no format
    return None if file_format is None else (file_format, compression)


def _source_file(system: FileSystem, path: str, location: str) -> SourceFile:
    file_format, compression = _kind(path) or ("", None)
    return SourceFile(
        location=location,
        name=path.rpartition("/")[2],
        format=file_format,
        compression=compression,
        checksum=_checksum(system, path),
        system=system,
        path=path,
    )


def _checksum(system: FileSystem, path: str) -> str:
    digest = hashlib.sha256()
    with system.open(path) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _short(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error).partition(". Detail")[0]
