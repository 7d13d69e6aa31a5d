"""Any registered version on the test part, beside the naive model and the champion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pandas as pd

from pipelines.gold.training_data import read_part
from pipelines.release.exported_model import champion_of
from pipelines.runtime.context import RunContext
from pipelines.settings import load_settings
from training.evaluate.evaluation import evaluate
from training.evaluate.test_part import score_sample
from training.report.plots import plots_of
from training.tracking.run_files import read_file
from training.tracking.run_log import load_models

if TYPE_CHECKING:
    from training.evaluate.bootstrap import Interval
    from training.evaluate.evaluation import Evaluation
    from training.evaluate.gates import Rival
    from training.tracking.tracking_store import Tracking


@dataclass(frozen=True)
class Plot:
    """A plot that a notebook shows.

    Attributes:
        svg: Its text.
    """

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg


@dataclass(frozen=True)
class Review:
    """A version on the test part.

    Attributes:
        version: The version.
        evaluation: Its figures, beside the naive model's.
        champion: The champion on the same flights; None if there is none.
        plots: By name: roc, precision_recall, calibration, gain, scores, drawn now; and what was
            drawn when it was judged, such as learning_curve and importance.
    """

    version: str
    evaluation: Evaluation
    champion: Rival | None
    plots: dict[str, Plot]

    def figures(self) -> pd.DataFrame:
        """Return every metric with its confidence interval, beside the naive model's."""
        ours, naive = self.evaluation.model, self.evaluation.naive
        rows = [_row(name, ours[name], naive[name]) for name in ours]
        return pd.DataFrame(rows).set_index("metric")

    def slices(self) -> pd.DataFrame:
        """Return the slices with enough flights, the smallest gain over the naive model first."""
        rows = [
            {
                "by": each.by,
                "value": each.value,
                "flights": each.flights,
                "late share": round(each.late_share, 3),
                "AUC": round(each.auc, 3),
                "naive AUC": round(each.naive_auc, 3),
                "over naive": round(each.over_naive.value, 3),
            }
            for each in self.evaluation.slices
        ]
        return pd.DataFrame(rows).sort_values("over naive", ignore_index=True)

    def against_champion(self) -> pd.DataFrame:
        """Return the difference in AUC to the champion with its interval; empty without one."""
        rival = self.champion
        if rival is None or rival.advantage is None:
            return pd.DataFrame(columns=["this version", "champion", "difference", "low", "high"])
        row = {
            "this version": self.version,
            "champion": rival.version,
            "difference": round(rival.advantage.value, 4),
            "low": round(rival.advantage.low, 4),
            "high": round(rival.advantage.high, 4),
        }
        return pd.DataFrame([row])


def review(word: str = "champion") -> Review:
    """Return the review of a version, named by its number or by an alias.

    Raises:
        OntimeError: There is no such version, or no feature table to try it on.
    """
    context = RunContext(load_settings())
    version = context.registry.resolve(word)
    settings = context.settings.training.evaluation
    model, naive, contract = load_models(context.tracking, version.run_id)
    sample = read_part(context, "test")
    flights = score_sample(sample, model, naive)
    evaluation = evaluate(flights, contract.operating_threshold, settings)
    drawn = _drawn_then(context.tracking, version.run_id) | plots_of(flights, evaluation)
    plots = {name: Plot(svg.decode()) for name, svg in drawn.items()}
    champion = champion_of(context.registry, sample, flights, candidate=contract, settings=settings)
    return Review(version.version, evaluation, champion, plots)


def versions() -> pd.DataFrame:
    """Return every registered version with its aliases and run, the newest first."""
    context = RunContext(load_settings())
    rows = [
        {"version": each.version, "aliases": ", ".join(each.aliases), "run": each.run_id}
        for each in context.registry.versions()
    ]
    return pd.DataFrame(rows, columns=["version", "aliases", "run"])


def _drawn_then(tracking: Tracking, run_id: str) -> dict[str, bytes]:
    """Return the plots that were logged with a run."""
    paths = [file.path for file in tracking.client.list_artifacts(run_id, "plots")]
    return {PurePosixPath(path).stem: read_file(tracking.client, run_id, path) for path in paths}


def _row(metric: str, ours: Interval, naive: Interval) -> dict[str, str | float]:
    return {
        "metric": metric,
        "value": round(ours.value, 4),
        "low": round(ours.low, 4),
        "high": round(ours.high, 4),
        "naive": round(naive.value, 4),
    }
