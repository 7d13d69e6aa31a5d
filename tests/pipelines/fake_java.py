"""A Java that is a shell script: with the output and exit code of an unsuitable Java."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def fake_java(folder: Path, script: str) -> str:
    """Write an executable that stands for Java, and return its path."""
    path = folder / "java"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)
