"""Bit-for-bit retrain: a registered version made again from its lineage, and compared."""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from features.errors import OntimeError
from pipelines.command import parser_of, run_command
from pipelines.figures import write_figures
from pipelines.fingerprint import ROOT
from pipelines.rebuild import (
    clone_at,
    python_for,
    rebuilt_in,
    run_stages,
    stage_sources,
    validate_lineage,
    write_conf,
)
from pipelines.run import run_pipeline
from pipelines.stages import Parameter
from serving.model_package import CONTRACT, MODEL, SELF_TEST
from training import lineage as lineages
from training.run_files import LINEAGE_FILE, read_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.context import RunContext
    from pipelines.rebuild import Rebuilt
    from training.lineage import Lineage

FILES: Final = (MODEL, CONTRACT, SELF_TEST)
PARAMETERS: Final = (
    Parameter(
        name="version",
        kind=str,
        help="a registered version, or champion (Production), or challenger (Staging)",
        default="champion",
    ),
)
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


def main(argv: Sequence[str] | None = None) -> int:
    """Retrain as a command and return the exit code: 1 if the model differs in a bit."""
    parser = parser_of("python -m pipelines.retrain", __doc__ or "", PARAMETERS)
    return run_command(parser, PARAMETERS, work, argv)


def work(context: RunContext, arguments: argparse.Namespace) -> None:
    """Run the pipeline if nothing is registered yet, make the version again, compare, tell.

    Raises:
        RegistryError: There is no such version.
        RunFileError: The version's run has lost its files.
        RebuildError: Its code, its sources or its libraries are not to be had any more.
        RetrainDiffersError: The model is another one.
    """
    if not context.registry.versions():
        run_pipeline(context, argparse.Namespace(force=False))
        context.close()
    started = time.perf_counter()
    version = context.registry.resolve(arguments.version)
    lineage = lineages.from_json(read_file(context.tracking.client, version.run_id, LINEAGE_FILE))
    validate_lineage(lineage, version.version)
    files = context.registry.files(version.version, FILES)
    made = rebuild(context, lineage)
    rows = compare(lineage, files, made)
    seconds = time.perf_counter() - started
    path = write_figures(
        context.settings.home, "retrain", _figures(version.version, lineage, rows, made, seconds)
    )
    for line in (*_report(version.version, lineage, rows, seconds), f"figures: {path}"):
        context.console.say(line)
    different = [row.name for row in rows if not row.same]
    if different:
        raise RetrainDiffersError(
            f"Version {version.version} made again differs in {', '.join(different)}: the first of "
            "them in the table is where to look."
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


if __name__ == "__main__":
    sys.exit(main())
