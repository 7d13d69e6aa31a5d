"""Where tables and their files are: URIs, local folders, and paths for Spark's readers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

CATALOG: Final = "catalog"
_MISREAD: Final = frozenset("#%[]?")


def uri_of(root: str, name: str) -> str:
    """Return where the table of a name is below a root, as `Tables` takes it."""
    root = root.rstrip("/")
    return f"{root}.{name}" if root.startswith(f"{CATALOG}:") else f"{root}/{name}"


def local_folder(uri: str) -> Path | None:
    """Return the folder of a table that is on this machine's disk, else None.

    None also where its path has a sign that the Delta library for Python misreads, as `#` and `%`
    are: there Spark reads and writes the tables.
    """
    scheme, separator, path = uri.partition(":")
    if separator and scheme != "file":
        return None
    folder = Path(path if separator else uri)
    return None if set(str(folder.absolute())) & _MISREAD else folder


def spark_path(path: Path) -> str:
    """Return a local file as Spark's readers take it: blanks and `%` as they are, no patterns."""
    return "file:" + re.sub(r"([*?\[\]{}\\])", r"\\\1", str(path.absolute()))
