"""Downloads the two Delta jars that local Spark needs once, verifies checksums, caches them.

Ivy, which Spark ships, downloads them before Spark starts: a later start needs no network, prints
nothing to the terminal, and does not depend on a partial Maven or Ivy cache of the user.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ontime_base.errors import OntimeError

if TYPE_CHECKING:
    from collections.abc import Callable

# File name and SHA-256 of what ivy.xml lists.
DELTA_JARS = {
    "delta-spark_4.1_2.13-4.4.0.jar": (
        "75a9400986853c061f5109f012547de2545a5759e5e752e5ef633dabe16a4f10"
    ),
    "delta-storage-4.4.0.jar": "c46735481fa8e326b0957be02b4420cbcab4b325bb08009b7f2045a95133f1cc",
}
_HERE = Path(__file__).parent
_TIMEOUT_S = 300


class JarsError(OntimeError):
    """The Delta jars are not here and could not be fetched."""


def delta_jars(
    folder: Path, *, java: str, ivy_settings: Path | None, say: Callable[[str], None]
) -> list[Path]:
    """Return the paths of the Delta jars, whole and unaltered, fetching those that are not there.

    Args:
        folder: Their cache; created if needed.
        java: The Java to fetch with.
        ivy_settings: An Ivy settings file that names another repository; None: Maven Central.
        say: Called with one line when a download starts.

    Raises:
        JarsError: They cannot be downloaded or stored; names the reason and the correction.
    """
    paths = [folder / name for name in DELTA_JARS]
    if all(_whole(path) for path in paths):
        return paths
    say("fetching the Delta jars for Spark, 10 MB, this first time")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as scratch:
            _fetch(Path(scratch), java, ivy_settings or _HERE / "ivysettings.xml", folder)
            for path in paths:
                fetched = Path(scratch, path.name)
                if not _whole(fetched):
                    raise JarsError(
                        f"The repository sent a {path.name} that is not the released one (its "
                        f"SHA-256 differs): put the right file into {folder}, or name another "
                        "repository in an Ivy settings file (spark.ivy_settings in conf/)."
                    )
                fetched.replace(path)
    except OSError as error:
        raise JarsError(
            f"The Delta jars cannot be stored in {folder}: {error.strerror or error}. Free some "
            "space there, or name another folder (spark.jars_folder in conf/)."
        ) from error
    return paths


def _whole(path: Path) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == DELTA_JARS[path.name]
    except OSError:
        return False


def _fetch(scratch: Path, java: str, ivy_settings: Path, folder: Path) -> None:
    command = [
        java, "-cp", str(_ivy()), "org.apache.ivy.Main", "-error",
        "-settings", str(ivy_settings), "-ivy", str(_HERE / "ivy.xml"),
        "-cache", str(scratch / "cache"),
        "-retrieve", str(scratch / "[artifact]-[revision].[ext]"),
    ]  # fmt: skip
    try:
        done = subprocess.run(  # noqa: S603 - the Ivy that Spark ships, on our own files
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise JarsError(_not_fetched(f"no answer within {_TIMEOUT_S} s", folder)) from error
    if done.returncode != 0:
        raise JarsError(_not_fetched(_reason(done.stdout + done.stderr), folder))


def _ivy() -> Path:
    """Return the Ivy jar that the installed pyspark ships, without importing pyspark."""
    spec = find_spec("pyspark")
    found = sorted(Path(spec.origin).parent.glob("jars/ivy-*.jar")) if spec and spec.origin else []
    if not found:
        raise JarsError(
            "The installed pyspark has no Ivy to fetch the Delta jars with: run `make setup` again."
        )
    return found[-1]


def _reason(output: str) -> str:
    """Return the reason in what Ivy printed: the exception, else what was not found."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for sign in ("No space left", "Exception", "not found", "Error", "error"):
        for line in lines:
            if sign in line:
                return line[line.rfind("(") + 1 :].rstrip(")") if "(" in line else line.strip(": ")
    return lines[-1] if lines else "no reason given"


def _not_fetched(reason: str, folder: Path) -> str:
    return (
        f"The Delta jars for Spark could not be fetched from the Maven repository: {reason}. The "
        "first start needs the network (set a proxy in JAVA_TOOL_OPTIONS): connect and try "
        f"again, or put {' and '.join(DELTA_JARS)} into {folder}, or name another repository in "
        "an Ivy settings file (spark.ivy_settings in conf/)."
    )
