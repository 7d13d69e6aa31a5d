"""A cache of content hashes by table version, in files below the home folder."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from ontime_base.atomic_files import write_atomically
from pipelines.tables.content_hash import ContentHash, content_hash_of

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.tables.delta_tables import Commit, Tables


class ContentHashCache:
    """The content hashes of tables at the versions at which they were computed.

    Args:
        tables: The tables.
        home: The home folder; the files are in its folder `contents`.
    """

    def __init__(self, tables: Tables, home: Path) -> None:
        self._tables = tables
        self._folder = home / "contents"

    def get(self, name: str) -> ContentHash:
        """Return a table's content hash; computed from the whole table, and cached, if missing.

        Raises:
            TableMissingError: There is no such table.
        """
        commit = self._tables.last_change(name)
        content = self.at_commit(name, commit)
        if content is None:
            content = content_hash_of(self._tables.read(name))
            self._write(name, commit, content)
        return content

    def at_commit(self, name: str, commit: Commit) -> ContentHash | None:
        """Return the cached content hash of a table after a commit; None if there is none."""
        try:
            cached = json.loads(self._path(name, commit).read_text(encoding="utf-8"))
            columns = tuple((column, kind) for column, kind in cached["columns"])
            content = ContentHash(columns, cached["rows"], tuple(cached["sums"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None  # missing or not readable: it can be computed from the table
        return content if cached["description"] == commit.description else None

    def current(self, name: str) -> tuple[int, ContentHash] | None:
        """Return a table's version and content hash, if it exists and its hash is cached."""
        if not self._tables.exists(name):
            return None
        content = self.at_commit(name, self._tables.last_change(name))
        return None if content is None else (self._tables.version(name), content)

    def put(self, name: str, content: ContentHash) -> None:
        """Cache the content hash of a table as it is now."""
        self._write(name, self._tables.last_change(name), content)

    def update(
        self, name: str, *, where: str, before: tuple[int, ContentHash] | None
    ) -> ContentHash:
        """Return a table's content hash after one commit that replaced some rows, and cache it.

        Args:
            name: The table.
            where: SQL that is true of the rows that were replaced and of no other.
            before: What `current` returned before the commit; None: the whole table is read.
        """
        commit, now = self._tables.last_change(name), self._tables.read(name)
        if before is None or before[0] + 1 != commit.version or where == "true":
            content = content_hash_of(now)
        else:
            old = self._tables.read(name, before[0]).where(where)
            content = before[1].replaced(content_hash_of(old), content_hash_of(now.where(where)))
        self._write(name, commit, content)
        return content

    def _write(self, name: str, commit: Commit, content: ContentHash) -> None:
        cached = {"description": commit.description, **asdict(content)}
        write_atomically(self._path(name, commit), json.dumps(cached).encode())

    def _path(self, name: str, commit: Commit) -> Path:
        return self._folder / name / f"{commit.version}.json"
