"""Run as a script: a command whose first ledger entry waits until another process has one, too.

So both have decided on the same ledger, and both write at the same moment, whatever the machine
does. The meeting is around the store, in this process; nothing of it is in the code that races.

    racing.py FOLDER NAME OTHER COMMAND ARGUMENT...
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pipelines.runtime.context
from pipelines.cli import execute
from serving.stores.opening import open_artifact_store

if TYPE_CHECKING:
    from serving.stores.artifacts.protocol import ArtifactStore

PATIENCE = 120


class Meeting:
    """A store in which the first entry is created only when the other is about to do so as well."""

    def __init__(self, store: ArtifactStore, here: Path, there: Path) -> None:
        self.get, self.list, self.replace = store.get, store.list, store.replace
        self._store = store
        self._here = here
        self._there = there

    def create(self, key: str, body: bytes) -> str:
        if key.startswith("ledger/") and not self._here.exists():
            self._here.touch()
            deadline = time.monotonic() + PATIENCE
            while not self._there.exists():
                assert time.monotonic() < deadline, f"{self._there} never came"
                time.sleep(0.001)
        return self._store.create(key, body)


def main() -> int:
    folder, name, other = Path(sys.argv[1]), *sys.argv[2:4]
    here, there = folder / name, folder / other
    vars(pipelines.runtime.context)["open_artifact_store"] = lambda uri, **named: Meeting(
        open_artifact_store(uri, **named), here, there
    )
    return execute(sys.argv[4:])


if __name__ == "__main__":
    sys.exit(main())
