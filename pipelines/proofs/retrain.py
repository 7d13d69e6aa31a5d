"""Bit-for-bit retrain: a registered version is rebuilt from its lineage and compared."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ontime_base.errors import OntimeError
from pipelines.proofs.rebuild import FILES, rebuild, validate_lineage
from pipelines.run import run_pipeline
from pipelines.runtime.figures import write_figures
from serving.models.model_package import CONTRACT, MODEL, SELF_TEST
from training.tracking import lineage as lineages
from training.tracking.run_files import LINEAGE_FILE, read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipelines.proofs.rebuild import Rebuilt
    from pipelines.runtime.context import RunContext
    from training.tracking.lineage import Lineage

_WIDTH: Final = 16
_SHOWN: Final = 20


class RetrainDiffersError(OntimeError):
    """The rebuilt model is not, bit for bit, the one that was registered."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One property of the registered version and of the rebuilt one.

    Attributes:
        name: What it is.
        before: Of the registered version.
        after: Of the rebuilt one.
    """

    name: str
    before: str
    after: str

    @property
    def same(self) -> bool:
        """Whether they are equal."""
        return self.before == self.after


@dataclass(frozen=True, slots=True)
class RetrainReport:
    """A registered version beside the one that was rebuilt from its lineage.

    Attributes:
        version: Its number.
        lineage: Its lineage.
        rebuilt: The rebuilt model.
        rows: What was compared, in the order in which it is made.
        seconds: How long all of it took.
    """

    version: str
    lineage: Lineage
    rebuilt: Rebuilt
    rows: Sequence[Compared]
    seconds: float

    def figures(self) -> Mapping[str, float | str | bool]:
        """Return the figures; `same_hash` is that of the model."""
        by_name = {row.name: row for row in self.rows}
        model, gold = by_name[MODEL], by_name["gold content"]
        figures: dict[str, float | str | bool] = {
            "same_hash": model.same,
            "same_gold": gold.same,
            "same_contract": by_name[CONTRACT].same,
            "same_self_test": by_name[SELF_TEST].same,
            "version": self.version,
            "commit": self.lineage.code.commit,
            "onnx_sha256": model.before,
            "retrained_onnx_sha256": model.after,
            "gold_hash": gold.before,
            "retrained_gold_hash": gold.after,
            "sources": len(self.lineage.sources),
            "processors_then": self.lineage.machine.processors,
            "processors_now": self.rebuilt.lineage.machine.processors,
            "seconds": round(self.seconds, 1),
        }
        return figures | {
            f"{stage}_seconds": round(seconds, 1) for stage, seconds in self.rebuilt.seconds.items()
        }

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        machine, width = self.lineage.machine, _SHOWN + 2
        where = f"Python {machine.python} on {machine.system}, {machine.processors} processors"
        return [
            "",
            f"{'':<{_WIDTH}}{f'version {self.version}':<{width}}{'rebuilt':<{width}}",
            *(
                f"{row.name:<{_WIDTH}}{row.before[:_SHOWN]:<{width}}{row.after[:_SHOWN]:<{width}}"
                f"{'same' if row.same else 'DIFFERENT'}"
                for row in self.rows
            ),
            "",
            f"Rebuilt in {self.seconds:.0f} s; version {self.version} was made by {where}.",
        ]

    def require_same(self) -> None:
        """Do nothing if the rebuilt model is the same.

        Raises:
            RetrainDiffersError: Names what differs.
        """
        different = [row.name for row in self.rows if not row.same]
        if different:
            raise RetrainDiffersError(
                f"Version {self.version} rebuilt differs in {', '.join(different)}: the first of "
                "them in the table is where to look."
            )


def retrain_version(
    context: RunContext,
    *,
    version: str = "champion",
    rebuild_from: Callable[[RunContext, Lineage], Rebuilt] = rebuild,
) -> None:
    """Run the pipeline if nothing is registered yet, rebuild a version, compare and report it.

    Args:
        context: What every stage is given.
        version: A registered version, or `champion`, or `challenger`.
        rebuild_from: Rebuilds a model from its lineage.

    Raises:
        RegistryError: There is no such version.
        RunFileError: The version's run has lost its files.
        RebuildError: Its code, its sources or its libraries are not available any more.
        RetrainDiffersError: The rebuilt model differs.
    """
    if not context.registry.versions():
        run_pipeline(context)
        context.close()
    started = time.perf_counter()
    registered = context.registry.resolve(version)
    number, client = registered.version, context.tracking.client
    lineage = lineages.from_json(read_file(client, registered.run_id, LINEAGE_FILE))
    validate_lineage(lineage, number)
    files = context.registry.files(number, FILES)
    rebuilt = rebuild_from(context, lineage)
    rows = compare(lineage, files, rebuilt)
    report = RetrainReport(number, lineage, rebuilt, rows, time.perf_counter() - started)
    path = write_figures(context.settings.home, "retrain", report.figures())
    for line in (*report.lines(), f"figures: {path}"):
        context.console.say(line)
    report.require_same()


def compare(lineage: Lineage, files: dict[str, bytes], rebuilt: Rebuilt) -> list[Compared]:
    """Return what was compared, in the order in which it is made."""
    after = rebuilt.lineage
    return [
        Compared("commit", lineage.code.commit, after.code.commit),
        Compared("lock", lineage.code.lock_sha256, after.code.lock_sha256),
        Compared("gold rows", f"{lineage.table.rows:,}", f"{after.table.rows:,}"),
        Compared("gold content", lineage.table.content_hash, after.table.content_hash),
        Compared("features", lineage.feature_hash, after.feature_hash),
        Compared("fingerprint", lineage.fingerprint, after.fingerprint),
        *(Compared(name, _sha256(files[name]), _sha256(rebuilt.files[name])) for name in FILES),
    ]


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
