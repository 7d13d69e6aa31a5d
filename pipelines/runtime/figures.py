"""The figures of a command: one flat JSON file that programs read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ontime_base.atomic_files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write_figures(home: Path, name: str, figures: Mapping[str, float | str | bool]) -> Path:
    """Write `<home>/figures/<name>.json` and return where it is.

    It is replaced as a whole: after a crash the old or the new one is there.
    """
    path = home / "figures" / f"{name}.json"
    write_atomically(path, (json.dumps(dict(figures), indent=2) + "\n").encode())
    return path
