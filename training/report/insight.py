"""Plots of what a model has learned: its learning curve, what it looks at, where it is good."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from training.report.plots import INK, LATE, MODEL, NAIVE, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from training.evaluation import Evaluation
    from training.importance import Importance, Importances
    from training.learning import CurvePoint

_FEATURES: Final = 16
_WIDE: Final = (10.8, 3.9)


def insights_of(
    curve: tuple[CurvePoint, ...], found: Importances, evaluation: Evaluation
) -> dict[str, bytes]:
    """Return the plots by name, as SVG: learning_curve, families, importance, slices.

    Args:
        curve: How good the first trees are.
        found: What the model looks at.
        evaluation: How good it is on the test part.
    """
    plots = {
        "learning_curve": svg(partial(_learning_curve, curve=curve)),
        "families": svg(partial(_bars, found=found.families, title="What it looks at")),
        "importance": svg(
            partial(_bars, found=found.features[:_FEATURES], title="The features that count most"),
        ),
    }
    if evaluation.slices:
        plots["slices"] = svg(partial(_slices, evaluation=evaluation), _WIDE)
    return plots


def _learning_curve(axes: Axes, curve: tuple[CurvePoint, ...]) -> None:
    trees = [point.trees for point in curve]
    learned, later = (
        [point.train_auc for point in curve],
        [point.validate_auc for point in curve],
    )
    axes.plot(trees, learned, color=NAIVE, label="on flights it learned from")
    axes.plot(trees, later, color=MODEL, label="on the validate part")
    best = int(np.argmax(later))
    axes.plot(trees[best], later[best], "o", color=LATE, label=f"best {later[best]:.3f}")
    axes.set(title="Learning curve", xlabel="trees", ylabel="AUC")
    axes.legend(loc="center right")


def _bars(axes: Axes, found: tuple[Importance, ...], title: str) -> None:
    place = np.arange(len(found))[::-1]
    axes.barh(place, [each.auc_lost for each in found], color=MODEL, height=0.7)
    axes.set_yticks(place, [each.name for each in found])
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set(title=title, xlabel="AUC lost when it tells of another flight")


def _slices(axes: Axes, evaluation: Evaluation) -> None:
    slices = evaluation.slices
    place = np.arange(len(slices))
    model, naive = ([each.auc for each in slices], [each.naive_auc for each in slices])
    axes.vlines(place, naive, model, color="#9fd0d8", linewidth=3)
    axes.scatter(place, naive, color=NAIVE, zorder=3, label="naive")
    axes.scatter(place, model, color=MODEL, zorder=3, label="model")
    starts = [at for at in place if at == 0 or slices[at].by != slices[at - 1].by]
    for at in starts:
        axes.axvline(at - 0.5, color="#d5dbe1", linewidth=1)
        axes.annotate(slices[at].by, (at - 0.4, 1.01), xycoords=("data", "axes fraction"))
    axes.set_xticks(place, [each.value for each in slices], rotation=90)
    axes.tick_params(axis="x", length=0, labelcolor=INK)
    axes.grid(visible=False, axis="x")
    axes.set(ylabel="AUC", xlim=(-0.8, len(slices) - 0.2))
    axes.legend(loc="lower left", ncols=2)
