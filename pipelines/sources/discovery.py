"""Finding source files: from the places that conf names to single files with their checksums.

Places: where source files are, and how they are listed and opened there.
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
    from typing import IO

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
        from pipelines.sources.s3_files import S3Place  # noqa: PLC0415 - boto3 takes 0.5 s

        return S3Place(), where.removeprefix(S3)
    if where.startswith("file:"):  # not left to pyarrow: a glob's ? is no query
        where = unquote(where.removeprefix("file:").removeprefix("//localhost"))
        where = f"/{where.lstrip('/')}"
    elif "://" in where:
        filesystem, path = fs.FileSystem.from_uri(where)
        return ArrowPlace(filesystem), path
    return ArrowPlace(fs.LocalFileSystem()), str(Path(where).expanduser().absolute())


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
WRAPPINGS = ("gz", "zip")
_CHUNK = 1 << 20


class SourceError(OntimeError):
    """A source file is missing, unreadable or not of the expected shape; names it."""


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One source file.

    Attributes:
        place: Where it is, for people: a path or URI.
        name: Its name without folders: the `source_file` of its rows.
        format: `csv`, `json` (lines, or one array) or `parquet`.
        wrapping: `gz` or `zip`; None: plain.
        checksum: SHA-256 of its bytes, in hex.
        system: Where it is, for programs.
        path: Its path there.
    """

    place: str
    name: str
    format: str
    wrapping: str | None
    checksum: str
    system: Place
    path: str

    def open(self) -> IO[bytes]:
        """Return the file, open for reading and seeking."""
        return self.system.open(self.path)


def find_files(places: Sequence[str]) -> list[SourceFile]:
    """Return the source files at some places, each content once, in the order of their names.

    Args:
        places: Files, folders, globs or URIs; `package:<distribution>/<path>` is a file inside an
            installed package, which is not imported, and `conf:<path>` one in the conf folder.

    Raises:
        SourceError: There is nothing at a place, or nothing of a known format.
    """
    found = [file for place in places for file in _files_at(place)]
    once = {file.checksum: file for file in reversed(found)}
    return sorted(once.values(), key=lambda file: (file.name, file.checksum))


def _files_at(place: str) -> Iterator[SourceFile]:
    where = _resolved(place)
    try:
        system, path = place_of(where)
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
            told = where if one == path else one
            yield _source_file(system, one, f"{S3}{one}" if in_s3 else told)
    except (OSError, pa.ArrowInvalid) as error:
        raise SourceError(f"The source {where} cannot be read: {_short(error)}.") from error


def _resolved(place: str) -> str:
    if place.startswith(PACKAGE):
        return _in_package(place)
    if place.startswith(CONF):
        return str(conf_folder() / place.removeprefix(CONF))
    return place


def _in_package(place: str) -> str:
    """Return the path of a file of an installed distribution, which is not imported for it."""
    distribution, _, inside = place.removeprefix(PACKAGE).partition("/")
    try:
        listed = files(distribution) or []
    except PackageNotFoundError as error:
        raise SourceError(
            f"The source {place} is in the Python package {distribution}, which is not installed: "
            "run `make setup`, or name another source in conf/."
        ) from error
    for file in listed:
        if file.as_posix() == f"{distribution}/{inside}":
            return str(file.locate())
    raise SourceError(
        f"The installed package {distribution} has no file {inside}: run `make setup` again, or "
        "name another source in conf/."
    )


def _paths(system: Place, path: str) -> Iterator[str]:
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
    """Return format and wrapping by the file's name, or None if they are not known."""
    parts = path.rpartition("/")[2].lower().split(".")
    wrapping = parts.pop() if parts[-1] in WRAPPINGS else None
    file_format = FORMATS.get(parts[-1]) if len(parts) > 1 else None
    if file_format is None and wrapping == "zip":
        file_format = "csv"  # the name of a monthly archive often tells no format
    return None if file_format is None else (file_format, wrapping)


def _source_file(system: Place, path: str, place: str) -> SourceFile:
    file_format, wrapping = _kind(path) or ("", None)
    return SourceFile(
        place=place,
        name=path.rpartition("/")[2],
        format=file_format,
        wrapping=wrapping,
        checksum=_checksum(system, path),
        system=system,
        path=path,
    )


def _checksum(system: Place, path: str) -> str:
    digest = hashlib.sha256()
    with system.open(path) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _short(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error).partition(". Detail")[0]
