"""Validates that the Java on this machine can run Spark; the error names the correction."""

from __future__ import annotations

import re
import subprocess
from functools import cache

from ontime_base.errors import OntimeError

OLDEST = 17
WAY_OUT = (
    "Install a full Java 17 (Debian: apt-get install openjdk-17-jdk-headless; "
    "macOS: brew install openjdk@17) and point JAVA_HOME at it."
)


class JavaError(OntimeError):
    """There is no Java here that can run Spark."""


@cache
def validate_java(java: str) -> None:
    """Return if `java` can run Spark.

    Spark 4 needs Java 17 or newer, with the module `jdk.incubator.vector`, which trimmed ones lack.

    Raises:
        JavaError: It does not run, is too old, or is trimmed.
    """
    enough = _run(java, "--add-modules", "jdk.incubator.vector", "-version")
    if enough.returncode == 0 and _major(enough.stderr) >= OLDEST:
        return
    plain = _run(java, "-version")
    if plain.returncode != 0:
        raise JavaError(f"'{java}' does not run ({_last_line(plain.stderr)}). {WAY_OUT}")
    major = _major(plain.stderr)
    if major < OLDEST:
        raise JavaError(
            f"Spark needs Java {OLDEST} or newer, and '{java}' is version {major or 'unknown'}. "
            f"{WAY_OUT}"
        )
    raise JavaError(
        f"'{java}' is a trimmed Java without jdk.incubator.vector, which Spark needs. {WAY_OUT}"
    )


def _run(java: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - the Java that Spark itself would start
            [java, *arguments], capture_output=True, text=True, timeout=60, check=False
        )
    except OSError as error:
        reason = error.strerror or str(error)
        raise JavaError(
            f"Spark needs Java {OLDEST} or newer: '{java}': {reason}. {WAY_OUT}"
        ) from error


def _major(version_text: str) -> int:
    """Return 17 for `openjdk version "17.0.15"`, 8 for `java version "1.8.0_402"`, else 0."""
    found = re.search(r'version "(?:1\.)?(\d+)', version_text)
    return int(found.group(1)) if found else 0


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no output"
