"""A sweep over 26 real days that stands alone: the tests run it in this process, and kill it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from deltalake import write_deltalake

from pipelines.study.sweep import run_sweep
from tests.pipelines.real_parts import TRAINING, context_at, gold
from training.tracking.lineage import TableLineage

if TYPE_CHECKING:
    from pipelines.runtime.context import RunContext
    from training.study.study_results import SweepResult

NAME = "sweep-test"


def table_at(home: Path) -> TableLineage:
    """Return the feature table of those days, written if it is not there."""
    place = home / "gold"
    if not place.is_dir():
        write_deltalake(str(place), gold())
    return TableLineage("gold_features_h120", str(place), 0, "d" * 64, gold().num_rows)


def sweep_context(home: Path, *, trials: int, iterations: int = 8) -> RunContext:
    """Return a context whose sweep has so many trials."""
    sweep = TRAINING.sweep.model_copy(
        update={"trials": trials, "iterations": iterations, "report_every": 4, "workers": 2}
    )
    return context_at(home, TRAINING.model_copy(update={"sweep": sweep}))


def sweep(context: RunContext, parent: str | None = None) -> SweepResult:
    """Run the sweep, or resume it."""
    return run_sweep(context, table_at(context.settings.home), name=NAME, parent=parent)


if __name__ == "__main__":
    with sweep_context(Path(sys.argv[1]), trials=4, iterations=400) as context:
        sweep(context)
