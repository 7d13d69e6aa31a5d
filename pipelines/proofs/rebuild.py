"""Rebuilds a model from its lineage: a fresh clone at its commit, its sources and settings.

Only the lineage of the original home is used: not its tables, not its runs. The clone runs its own
code as a process, by the commands of its own MLproject, and the result is read from files. So a
version is also rebuilt whose modules had other names than those of this code.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from ontime_base.errors import OntimeError
from pipelines.runtime.source_code import ROOT
from pipelines.sources.discovery import CONF, SourceError, find_files
from serving.models.model_package import CONTRACT, MODEL, SELF_TEST
from training.tracking import lineage as lineages
from training.tracking.run_files import LINEAGE_FILE, MODEL_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pipelines.runtime.context import RunContext
    from pipelines.sources.discovery import SourceFile
    from training.tracking.lineage import Lineage, SourceLineage


FILES: Final = (MODEL, CONTRACT, SELF_TEST)
"""The exported files of a model that decide its predictions."""

STAGES: Final = ("ingest", "build_features", "train")
_ENVIRONMENT: Final = "dev"
_LOCK: Final = Path("requirements", "run.txt")
_SHOWN: Final = 12


class RebuildError(OntimeError):
    """A model cannot be rebuilt: names what of its origin is missing."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A rebuilt model.

    Attributes:
        lineage: Its lineage.
        files: Its exported files, by name.
        seconds: How long each stage took.
    """

    lineage: Lineage
    files: dict[str, bytes]
    seconds: dict[str, float]


def rebuild(context: RunContext, lineage: Lineage, root: Path = ROOT) -> Rebuilt:
    """Return the model rebuilt in a clone and a home that are removed afterwards.

    Args:
        context: Settings of this machine, and the console.
        lineage: What the model was made from.
        root: The repository that has its commit.

    Raises:
        RebuildError: Something of its origin is missing, or a stage failed.
    """
    report = context.console.step
    context.settings.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="retrain-", dir=context.settings.home) as temporary:
        clone, home = Path(temporary, "clone"), Path(temporary, "home")
        clone_at(root, lineage.code.commit, clone)
        report(f"a fresh clone at commit {lineage.code.commit[:20]}")
        sources = stage_sources(lineage, clone / "conf", Path(temporary, "sources"))
        report(f"{len(lineage.sources)} source files have the recorded checksums")
        spark = context.settings.spark.model_dump(mode="json", exclude={"remote"})
        conf = write_conf(lineage, clone, sources=sources, spark=spark)
        python = python_for(clone, root, lineage, report)
        seconds = run_stages(python, clone, conf=conf, home=home, report=report)
        return rebuilt_in(home, FILES, seconds)


def validate_lineage(lineage: Lineage, version: str) -> None:
    """Return if a lineage has all that is needed.

    Raises:
        RebuildError: The code was never committed, or the lineage is too old.
    """
    code = lineage.code
    if code.changed:
        changes = ", ".join(code.changes[:_SHOWN]) or "the lineage does not name them"
        raise RebuildError(
            f"Version {version} was trained with uncommitted changes ({changes}), so its code is "
            "stored nowhere: commit, run `make run`, and retrain the version it makes."
        )
    unknown = [name for name in ("commit", "lock_sha256") if getattr(code, name) == "unknown"]
    if unknown:
        raise RebuildError(
            f"The lineage of version {version} has no {' and no '.join(unknown)}: it was not "
            "trained in a git clone. Run `make run` in one."
        )
    if not lineage.sources or not lineage.settings:
        raise RebuildError(
            f"The lineage of version {version} lacks its sources and its configuration: it was "
            "trained before these were recorded. Train again with `make run`."
        )


def clone_at(root: Path, commit: str, folder: Path) -> None:
    """Clone a repository into a folder, at a commit.

    Raises:
        RebuildError: The repository does not have the commit, or git is not installed.
    """
    git = shutil.which("git")
    if git is None:
        raise RebuildError("git is not installed: install it, and retrain again.")
    for arguments in (
        # A shared clone also has the commits that no branch reaches any more.
        ("clone", "--quiet", "--shared", "--no-checkout", str(root), str(folder)),
        ("-C", str(folder), "checkout", "--quiet", "--detach", commit),
    ):
        done = subprocess.run(  # noqa: S603 - git, with a commit of our own lineage
            [git, *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode:
            reasons = done.stderr.strip().splitlines() or ["no reason given"]
            raise RebuildError(
                f"Commit {commit} cannot be checked out of {root} ({reasons[-1]}): fetch it from "
                "where it was pushed to, and retrain again."
            )


def stage_sources(lineage: Lineage, conf: Path, folder: Path) -> dict[str, list[str]]:
    """Copy the recorded source files from where the configuration has them; return their places.

    Args:
        lineage: Names the files by checksum.
        conf: The clone's configuration folder, for places inside it.
        folder: Where to; created.

    Raises:
        RebuildError: A file is missing, or has other content now.
    """
    places: Mapping[str, Any] = lineage.settings["sources"]
    available = {source: _files_at(each, conf) for source, each in places.items()}
    chosen: dict[str, list[str]] = {}
    for recorded in lineage.sources:
        into = folder / recorded.source / recorded.sha256  # two files may have one name
        into.mkdir(parents=True)
        _copy(recorded, available.get(recorded.source, []), into)
        chosen.setdefault(recorded.source, []).append(str(into))
    return chosen


def write_conf(
    lineage: Lineage, clone: Path, *, sources: Mapping[str, list[str]], spark: Mapping[str, Any]
) -> Path:
    """Write the recorded configuration over the clone's own, and return the folder.

    Args:
        lineage: Has the configuration.
        clone: The clone; its `conf/` is changed.
        sources: Where the sources are now.
        spark: How Spark runs here: memory and cores of this machine decide no result.
    """
    conf = clone / "conf"
    base: dict[str, Any] = yaml.safe_load((conf / "base.yaml").read_text(encoding="utf-8"))
    recorded = {**lineage.settings, "sources": dict(sources)}
    for name, section in recorded.items():
        base[name] = {**(base.get(name) or {}), **section}
    known = base.get("spark") or {}
    base["spark"] = {**known, **{key: value for key, value in spark.items() if key in known}}
    (conf / "base.yaml").write_text(yaml.safe_dump(base), encoding="utf-8")
    (conf / f"{_ENVIRONMENT}.yaml").write_text("{}\n", encoding="utf-8")
    return conf


def python_for(clone: Path, root: Path, lineage: Lineage, report: Callable[[str], None]) -> Path:
    """Return the Python of the environment of the recorded lock: ours if its lock is the same.

    Raises:
        RebuildError: The clone's lock is not the recorded one, or cannot be installed.
    """
    wanted = lineage.code.lock_sha256
    locked = _file_sha256(clone / _LOCK)
    if locked != wanted:
        raise RebuildError(
            f"The lock of commit {lineage.code.commit} has checksum {locked}, and the lineage has "
            f"{wanted}: one of the two was changed; train again with `make run`."
        )
    if _file_sha256(root / _LOCK) == wanted:
        return Path(sys.executable)
    report("building the environment of the recorded lock (one or two minutes)")
    _run(["bash", str(Path("requirements", "install.sh")), "run"], clone, dict(os.environ))
    return clone / ".venv" / "bin" / "python"


def run_stages(
    python: Path, clone: Path, *, conf: Path, home: Path, report: Callable[[str], None]
) -> dict[str, float]:
    """Run the stages up to the exported model in a home of their own; return their seconds.

    Raises:
        RebuildError: A stage failed; has the end of its output.
    """
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("MLFLOW_", "ONTIME_", "PYSPARK_"))
    }
    environment |= {
        "ONTIME_HOME": str(home),
        "ONTIME_CONF": str(conf),
        "ONTIME_ENV": _ENVIRONMENT,
        "PYTHONPATH": str(clone),  # before an installed wheel
    }
    seconds = {}
    for stage in STAGES:
        started = time.perf_counter()
        _run(stage_command(clone, stage, python), clone, environment)
        seconds[stage] = time.perf_counter() - started
        report(f"{stage}: done in {seconds[stage]:.1f} s")
    return seconds


def stage_command(clone: Path, stage: str, python: Path) -> list[str]:
    """Return the command of a stage as the MLproject of a clone has it, with its defaults.

    Args:
        clone: The clone: its modules may have other names than ours.
        stage: An entry point of its MLproject.
        python: Runs it, in place of the `python` that the command begins with.

    Raises:
        RebuildError: It has no MLproject, or that has no such entry point.
    """
    path = clone / "MLproject"
    try:
        entry = yaml.safe_load(path.read_text(encoding="utf-8"))["entry_points"][stage]
    except (FileNotFoundError, KeyError) as error:
        raise RebuildError(
            f"The clone has no entry point '{stage}' in its MLproject ({error}): its commit is no "
            "version of this project; retrain from the repository that the model was made in."
        ) from error
    parameters = entry.get("parameters") or {}
    values = {name: str(each.get("default", "")) for name, each in parameters.items()}
    values["environment"] = _ENVIRONMENT
    program, *arguments = (word.format_map(values) for word in shlex.split(entry["command"]))
    return [str(python if program == "python" else python.with_name(program)), *arguments]


def rebuilt_in(home: Path, names: Iterable[str], seconds: dict[str, float]) -> Rebuilt:
    """Return the model that the stages left in a home.

    Args:
        home: The home.
        names: Exported files wanted.
        seconds: What the stages took.
    """
    (model,) = home.rglob(MODEL_FILE)  # one run, in a home that was empty
    run = model.parent.parent
    lineage = lineages.from_json((run / LINEAGE_FILE).read_bytes())
    return Rebuilt(lineage, {name: (model.parent / name).read_bytes() for name in names}, seconds)


def _files_at(places: Iterable[str], conf: Path) -> list[SourceFile]:
    """Return the source files that are at places now; none where there is none."""
    files: list[SourceFile] = []
    for place in places:
        inside = place.startswith(CONF)
        try:
            files += find_files([str(conf / place.removeprefix(CONF)) if inside else place])
        except SourceError:
            continue  # reported with its name when a recorded file is missing
    return files


def _copy(recorded: SourceLineage, available: Iterable[SourceFile], into: Path) -> None:
    named = [file for file in available if file.name == recorded.name]
    same = [file for file in available if file.checksum == recorded.sha256]
    if not same:
        now = f"{named[0].location} has another one now" if named else "the file is missing"
        raise RebuildError(
            f"Source {recorded.source}: {recorded.name} had checksum {recorded.sha256} when the "
            f"model was trained, and {now}: restore that file, and retrain again."
        )
    with same[0].open() as stream:
        (into / recorded.name).write_bytes(stream.read())


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    done = subprocess.run(  # noqa: S603 - our own commands
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-_SHOWN:]
        raise RebuildError(
            f"`{shlex.join(command[1:])}` failed in the clone. It ended with:\n  "
            + "\n  ".join(last)
            + "\nRepair that, and retrain again."
        )


def _file_sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return "none"
