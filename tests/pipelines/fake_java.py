"""A Java that is a shell script: for what Java says and does when it is not the right one."""

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
