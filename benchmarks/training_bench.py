"""`make bench-training`: time to the same AUC beside LightGBM and XGBoost; the sweep on 2 cores.

All learn from the same matrix, with as many threads, in one process. A peer is fitted with its own
defaults; the AUC that it reaches on the validate part is the goal. Ontime's time is that of a fit
of as many trees, with the parameters in conf/, as reach the goal: that number is found beforehand.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING, Final

from deltalake import DeltaTable

from benchmarks.sweep_speed import speed_up
from features.catalog import FEATURES
from pipelines.gold.training_data import table_lineage
from pipelines.runtime.command import run_command
from pipelines.runtime.figures import write_figures
from pipelines.runtime.runner import run_stage
from pipelines.stages import stage_named
from pipelines.study.sweep import TrialWork
from pipelines.tables.table_reader import files_of
from training.data.split import part_of
from training.environment import wait_without_spinning
from training.evaluate.evaluation import evaluate
from training.evaluate.quality_metrics import AUC, measure, ranking
from training.evaluate.test_part import score_sample
from training.fit import model_features, train
from training.study.trial import trial_flights

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pipelines.runtime.context import RunContext
    from training.data.parts import Part
    from training.data.samples import Sample
    from training.models.interface import ModelParameters
    from training.models.model_settings import ModelSettings
    from training.settings import TrainingSettings
    from training.study.trial import TrialFlights

CORES: Final = os.cpu_count() or 1
REPEATS: Final = 2
_DEADLINE_S: Final = 3600


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table and write its figures."""
    wait_without_spinning()
    parser = argparse.ArgumentParser("python -m benchmarks.training_bench", description=__doc__)
    parser.add_argument("--force", action="store_true", help="rebuild the feature table")
    arguments = parser.parse_args(argv)
    return run_command(parser.prog, lambda context: bench(context, force=arguments.force))


def bench(context: RunContext, *, force: bool = False) -> None:
    """Make the feature table if it is not there, then measure."""
    for name in ("ingest", "build_features"):
        run_stage(stage_named(name), context, force=force)
    settings, table = context.settings.training, table_lineage(context)
    retrain_s, parts = retrained(table.uri, table.version, settings, context)
    flights = trial_flights(parts["train"], parts["validate"], model_features(settings))
    figures: dict[str, float | str] = {"retrain_seconds": round(retrain_s, 1)}
    figures |= beside_peers(flights, settings.model, context.console.step)
    context.console.step("the sweep on one core and on two")
    _ = context.spark
    trial = TrialWork(table.uri, table.version, settings, time.time() + _DEADLINE_S)
    figures |= {name: round(each, 3) for name, each in speed_up(trial, settings.model).items()}
    figures["machine"] = f"{CORES} cores, load {os.getloadavg()[0]:.1f}"
    path = write_figures(context.settings.home, "bench-training", figures)
    for name, value in figures.items():
        context.console.say(f"  {name:<26} {value}")
    context.console.say(f"figures: {path}")


def retrained(
    uri: str, version: int, settings: TrainingSettings, context: RunContext
) -> tuple[float, dict[Part, Sample]]:
    """Return the seconds from the feature table to a judged, exported model, and the parts."""
    context.console.step("from the feature table to a judged model")
    started = time.perf_counter()
    gold = DeltaTable(uri, version=version).to_pyarrow_table(filesystem=files_of(uri))
    names: tuple[Part, ...] = ("train", "validate", "test")
    parts = {name: part_of(gold, name, FEATURES, settings.split) for name in names}
    made = train(
        parts["train"],
        parts["validate"],
        horizon_min=context.settings.features.horizon_min,
        settings=settings,
    )
    flights = score_sample(parts["test"], made.model, made.naive)
    evaluate(flights, made.contract.operating_threshold, settings.evaluation)
    return time.perf_counter() - started, parts


def beside_peers(
    flights: TrialFlights, current: ModelSettings, step: Callable[[str], None]
) -> dict[str, float]:
    """Return every peer's time and AUC, and Ontime's time to that AUC over the peer's."""
    step("all trees, and the AUC after each")
    by_trees = _staged(flights, current)
    found: dict[str, float] = {"auc_ontime_all_trees": round(by_trees[-1], 4)}
    for name, fit in (("lightgbm", _lightgbm), ("xgboost", _xgboost)):
        step(f"{name}, and as many trees as reach its AUC")
        seconds, score = min((_timed(fit, flights) for _ in range(REPEATS)), key=lambda x: x[0])
        goal = _auc(flights, score)
        trees = next((at + 1 for at, auc in enumerate(by_trees) if auc >= goal), 0)
        found |= {f"auc_{name}": round(goal, 4), f"seconds_{name}": round(seconds, 2)}
        if not trees:
            found[f"vs_{name}"] = float("inf")
            continue
        few = current.parameters.limited_to(trees)

        def ours(some: TrialFlights, few: ModelParameters = few) -> NDArray[np.float64]:
            fitted = current.selected.fit(some.train, None, few)
            return current.selected.predict(fitted, some.validate.matrix)

        taken = min(_timed(ours, flights)[0] for _ in range(REPEATS))
        found[f"trees_to_{name}"] = trees
        found[f"seconds_to_{name}"] = round(taken, 2)
        found[f"vs_{name}"] = round(taken / seconds, 3)
    return found


def _timed(
    fit: Callable[[TrialFlights], NDArray[np.float64]], flights: TrialFlights
) -> tuple[float, NDArray[np.float64]]:
    """Return the seconds of a fit, its binning of the data and the scores included."""
    started = time.perf_counter()
    score = fit(flights)
    return time.perf_counter() - started, score


def _staged(flights: TrialFlights, current: ModelSettings) -> list[float]:
    """Return the AUC after each tree."""
    kind = current.selected
    fitted = kind.fit(flights.train, None, current.parameters)
    staged = kind.predict_by_iteration(fitted, flights.validate.matrix)
    return [_auc(flights, score) for score in staged]


def _auc(flights: TrialFlights, score: NDArray[np.float64]) -> float:
    import numpy as np  # noqa: PLC0415 - after wait_without_spinning has set the environment

    label = flights.validate.label
    return measure(ranking(label, score, bins=15), np.ones(label.size), ())[AUC]


def _lightgbm(flights: TrialFlights) -> NDArray[np.float64]:
    import lightgbm  # noqa: PLC0415 - a peer, only in this environment
    import numpy as np  # noqa: PLC0415 - as above

    model = lightgbm.LGBMClassifier(n_jobs=CORES, verbosity=-1)
    model.fit(flights.train.matrix, flights.train.label)
    return np.asarray(model.booster_.predict(flights.validate.matrix), dtype=np.float64)


def _xgboost(flights: TrialFlights) -> NDArray[np.float64]:
    import numpy as np  # noqa: PLC0415 - as above
    import xgboost  # noqa: PLC0415 - a peer, only in this environment

    model = xgboost.XGBClassifier(n_jobs=CORES)
    model.fit(flights.train.matrix, flights.train.label)
    return np.asarray(model.predict_proba(flights.validate.matrix)[:, 1], dtype=np.float64)


if __name__ == "__main__":
    sys.exit(main())
