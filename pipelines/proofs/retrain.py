"""Bit-for-bit retrain: a registered version made again from its lineage, and compared.

A model made again from its lineage: a fresh clone at its commit, its sources, its configuration.

Nothing of the home that the model came from is used but the lineage: not its tables, not its runs.
"""

from __future__ import annotations

import hashlib
import os
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
from pipelines.run import run_pipeline
from pipelines.runtime.figures import write_figures
from pipelines.runtime.fingerprint import ROOT
from pipelines.sources.discovery import CONF, SourceError, find_files
from serving.models.model_package import CONTRACT, MODEL, SELF_TEST
from training.tracking import lineage as lineages
from training.tracking.run_files import LINEAGE_FILE, MODEL_FILE, read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pipelines.runtime.context import RunContext
    from pipelines.sources.discovery import SourceFile
    from training.tracking.lineage import Lineage, SourceLineage


STAGES: Final = ("ingest", "build_features", "train")
_LOCK: Final = Path("requirements", "run.txt")
_CHANGES_SHOWN: Final = 12


class RebuildError(OntimeError):
    """A model cannot be made again: says what of its origin is not there any more."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What came out of it.

    Attributes:
        lineage: That of the model made again.
        files: Its exported files, by name.
        seconds: How long each stage took.
    """

    lineage: Lineage
    files: dict[str, bytes]
    seconds: dict[str, float]


def validate_lineage(lineage: Lineage, version: str) -> None:
    """Return if a lineage tells all that is needed.

    Raises:
        RebuildError: The code was never committed, or the lineage is of before all this was kept.
    """
    code = lineage.code
    if code.changed:
        changes = ", ".join(code.changes[:_CHANGES_SHOWN]) or "which ones was not kept"
        raise RebuildError(
            f"Version {version} was trained with changes that were not committed ({changes}), so "
            "its code is kept nowhere: commit, run `make run`, and retrain the version it makes."
        )
    unknown = [name for name in ("commit", "lock_sha256") if getattr(code, name) == "unknown"]
    if unknown:
        raise RebuildError(
            f"The lineage of version {version} does not know its {' and '.join(unknown)}: it was "
            "not trained in a git clone. Run `make run` in one."
        )
    if not lineage.sources or not lineage.settings:
        raise RebuildError(
            f"The lineage of version {version} does not tell its sources and its configuration: it "
            "was trained before these were kept. Train again with `make run`."
        )


def clone_at(root: Path, commit: str, folder: Path) -> None:
    """Clone a repository into a folder, at a commit.

    Raises:
        RebuildError: The repository does not have the commit, or git is not there.
    """
    git = shutil.which("git")
    if git is None:
        raise RebuildError("git is not installed: install it, and retrain again.")
    for arguments in (
        # Its objects are looked up where they are, also those that no branch reaches any more.
        ("clone", "--quiet", "--shared", "--no-checkout", str(root), str(folder)),
        ("-C", str(folder), "checkout", "--quiet", "--detach", commit),
    ):
        done = subprocess.run(  # noqa: S603 - git, with a commit of our own lineage
            [git, *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode:
            told = done.stderr.strip().splitlines() or ["no reason given"]
            raise RebuildError(
                f"Commit {commit} cannot be checked out of {root} ({told[-1]}): fetch it from "
                "where it was pushed to, and retrain again."
            )


def python_for(clone: Path, root: Path, lineage: Lineage, say: Callable[[str], None]) -> Path:
    """Return the Python of the environment of the recorded lock: ours if its lock is the same.

    Raises:
        RebuildError: The clone's lock is not the recorded one, or cannot be installed.
    """
    wanted = lineage.code.lock_sha256
    found = _file_sha256(clone / _LOCK)
    if found != wanted:
        raise RebuildError(
            f"The lock of commit {lineage.code.commit} has checksum {found}, not {wanted} as the "
            "lineage says: one of the two was changed; train again with `make run`."
        )
    if _file_sha256(root / _LOCK) == wanted:
        return Path(sys.executable)
    say("building the environment of the recorded lock (one or two minutes)")
    _run(["bash", str(Path("requirements", "install.sh")), "run"], clone, dict(os.environ))
    return clone / ".venv" / "bin" / "python"


def stage_sources(lineage: Lineage, conf: Path, folder: Path) -> dict[str, list[str]]:
    """Copy the recorded source files from where the configuration says; return their places.

    Args:
        lineage: Names the files by checksum.
        conf: The clone's configuration folder, for places inside it.
        folder: Where to; made.

    Raises:
        RebuildError: A file is missing, or is another one now.
    """
    places: Mapping[str, Any] = lineage.settings["sources"]
    there = {source: _files_at(each, conf) for source, each in places.items()}
    chosen: dict[str, list[str]] = {}
    for recorded in lineage.sources:
        into = folder / recorded.source / recorded.sha256  # two files may have one name
        into.mkdir(parents=True)
        _copy(recorded, there.get(recorded.source, []), into)
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
    (conf / "dev.yaml").write_text("{}\n", encoding="utf-8")
    return conf


def run_stages(
    python: Path, clone: Path, *, conf: Path, home: Path, say: Callable[[str], None]
) -> dict[str, float]:
    """Run the stages up to the exported model in a home of their own; return their seconds.

    Raises:
        RebuildError: A stage failed; has its last words.
    """
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("MLFLOW_", "ONTIME_", "PYSPARK_")) and key != "PYTHONPATH"
    }
    environment |= {"ONTIME_HOME": str(home), "ONTIME_CONF": str(conf), "ONTIME_ENV": "dev"}
    seconds = {}
    for stage in STAGES:
        started = time.perf_counter()
        _run([str(python), "-m", *stage_module(clone, stage)], clone, environment)
        seconds[stage] = time.perf_counter() - started
        say(f"{stage}: done in {seconds[stage]:.1f} s")
    return seconds


def stage_module(clone: Path, stage: str) -> list[str]:
    """Return the module, with its argument, that runs a stage in a clone of any commit.

    Commits from before the command line `ontime` have a command in the module of each stage.
    """
    there = (clone / "pipelines" / "cli.py").is_file()
    return ["pipelines.cli", stage] if there else [f"pipelines.{stage}"]


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
    found: list[SourceFile] = []
    for place in places:
        inside = place.startswith(CONF)
        try:
            found += find_files([str(conf / place.removeprefix(CONF)) if inside else place])
        except SourceError:
            continue  # told by name, once it is known which file is missed
    return found


def _copy(recorded: SourceLineage, there: Iterable[SourceFile], into: Path) -> None:
    named = [file for file in there if file.name == recorded.name]
    same = [file for file in there if file.checksum == recorded.sha256]
    if not same:
        now = f"{named[0].location} is another file now" if named else "it is not there any more"
        raise RebuildError(
            f"Source {recorded.source}: {recorded.name} had checksum {recorded.sha256} when the "
            f"model was trained, and {now}: put that file back, and retrain again."
        )
    with same[0].open() as stream:
        (into / recorded.name).write_bytes(stream.read())


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    done = subprocess.run(  # noqa: S603 - our own commands
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-_CHANGES_SHOWN:]
        raise RebuildError(
            f"`{' '.join(command[1:])}` failed in the clone. It ended with:\n  "
            + "\n  ".join(last)
            + "\nPut that right, and retrain again."
        )


def _file_sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return "none"


FILES: Final = (MODEL, CONTRACT, SELF_TEST)
_WIDTH: Final = 16
_SHOWN: Final = 20


class RetrainDiffersError(OntimeError):
    """The model made again is not, bit for bit, the one that was registered."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One thing of the registered version and of the one made again.

    Attributes:
        name: What it is.
        before: Of the registered version.
        after: Of the one made again.
    """

    name: str
    before: str
    after: str

    @property
    def same(self) -> bool:
        """Whether they are equal."""
        return self.before == self.after


def retrain_version(context: RunContext, *, version: str = "champion") -> None:
    """Run the pipeline if nothing is registered yet, make the version again, compare, tell.

    Args:
        context: What every stage is given.
        version: A registered version, or champion, or challenger.

    Raises:
        RegistryError: There is no such version.
        RunFileError: The version's run has lost its files.
        RebuildError: Its code, its sources or its libraries are not to be had any more.
        RetrainDiffersError: The model is another one.
    """
    if not context.registry.versions():
        run_pipeline(context)
        context.close()
    started = time.perf_counter()
    registered = context.registry.resolve(version)
    lineage = lineages.from_json(
        read_file(context.tracking.client, registered.run_id, LINEAGE_FILE)
    )
    validate_lineage(lineage, registered.version)
    files = context.registry.files(registered.version, FILES)
    made = rebuild(context, lineage)
    rows = compare(lineage, files, made)
    seconds = time.perf_counter() - started
    path = write_figures(
        context.settings.home, "retrain", _figures(registered.version, lineage, rows, made, seconds)
    )
    for line in (*_report(registered.version, lineage, rows, seconds), f"figures: {path}"):
        context.console.say(line)
    different = [row.name for row in rows if not row.same]
    if different:
        raise RetrainDiffersError(
            f"Version {registered.version} made again differs in {', '.join(different)}: the first "
            "of them in the table is where to look."
        )


def rebuild(context: RunContext, lineage: Lineage, root: Path = ROOT) -> Rebuilt:
    """Return the model made again, in a clone and a home that are removed afterwards.

    Args:
        context: Settings of this machine, and the console.
        lineage: What the model was made from.
        root: The repository that has its commit.

    Raises:
        RebuildError: Something of its origin is not to be had any more, or a stage failed.
    """
    say = context.console.step
    context.settings.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="retrain-", dir=context.settings.home) as temporary:
        clone, home = Path(temporary, "clone"), Path(temporary, "home")
        clone_at(root, lineage.code.commit, clone)
        say(f"a fresh clone at commit {lineage.code.commit[:_SHOWN]}")
        sources = stage_sources(lineage, clone / "conf", Path(temporary, "sources"))
        say(f"{len(lineage.sources)} source files have the checksums of then")
        spark = context.settings.spark.model_dump(mode="json", exclude={"remote"})
        conf = write_conf(lineage, clone, sources=sources, spark=spark)
        python = python_for(clone, root, lineage, say)
        seconds = run_stages(python, clone, conf=conf, home=home, say=say)
        return rebuilt_in(home, FILES, seconds)


def compare(lineage: Lineage, files: dict[str, bytes], made: Rebuilt) -> list[Compared]:
    """Return what was compared, in the order in which it is made."""
    after = made.lineage
    return [
        Compared("commit", lineage.code.commit, after.code.commit),
        Compared("lock", lineage.code.lock_sha256, after.code.lock_sha256),
        Compared("gold rows", f"{lineage.table.rows:,}", f"{after.table.rows:,}"),
        Compared("gold content", lineage.table.content_hash, after.table.content_hash),
        Compared("features", lineage.feature_hash, after.feature_hash),
        Compared("fingerprint", lineage.fingerprint, after.fingerprint),
        *(Compared(name, _sha256(files[name]), _sha256(made.files[name])) for name in FILES),
    ]


def _figures(
    version: str, lineage: Lineage, rows: Sequence[Compared], made: Rebuilt, seconds: float
) -> dict[str, float | str | bool]:
    by_name = {row.name: row for row in rows}
    model, gold = by_name[MODEL], by_name["gold content"]
    figures: dict[str, float | str | bool] = {
        "same_hash": model.same,
        "same_gold": gold.same,
        "same_contract": by_name[CONTRACT].same,
        "same_self_test": by_name[SELF_TEST].same,
        "version": version,
        "commit": lineage.code.commit,
        "onnx_sha256": model.before,
        "retrained_onnx_sha256": model.after,
        "gold_hash": gold.before,
        "retrained_gold_hash": gold.after,
        "sources": len(lineage.sources),
        "processors_then": lineage.machine.processors,
        "processors_now": made.lineage.machine.processors,
        "seconds": round(seconds, 1),
    }
    return figures | {f"{stage}_seconds": round(s, 1) for stage, s in made.seconds.items()}


def _report(version: str, lineage: Lineage, rows: Sequence[Compared], seconds: float) -> list[str]:
    machine, width = lineage.machine, _SHOWN + 2
    where = f"Python {machine.python} on {machine.system}, {machine.processors} processors"
    return [
        "",
        f"{'':<{_WIDTH}}{f'version {version}':<{width}}{'made again':<{width}}",
        *(
            f"{row.name:<{_WIDTH}}{row.before[:_SHOWN]:<{width}}{row.after[:_SHOWN]:<{width}}"
            f"{'same' if row.same else 'DIFFERENT'}"
            for row in rows
        ),
        "",
        f"Made again in {seconds:.0f} s; version {version} was made by {where}.",
    ]


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
