"""Plots of a model's quality, as SVG images: the same figures give the same bytes.

Also of what it has learned: learning curve, importance of features, quality by slice.
"""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from training.evaluate.quality_metrics import AUC, AVERAGE_PRECISION

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from training.evaluate.bootstrap import Interval
    from training.evaluate.evaluation import Evaluation, Scored
    from training.evaluate.importance import Importance, Importances
    from training.evaluate.learning_curve import CurvePoint


_FEATURES: Final = 16
_WIDE: Final = (10.8, 3.9)


def insights_of(
    curve: tuple[CurvePoint, ...], found: Importances, evaluation: Evaluation
) -> dict[str, bytes]:
    """Return the plots by name, as SVG: learning_curve, families, importance, slices.

    Args:
        curve: The learning curve; empty for a model without iterations, which has no plot of it.
        found: Its permutation importances.
        evaluation: How good it is on the test part.
    """
    plots = {"learning_curve": svg(partial(_learning_curve, curve=curve))} if curve else {}
    plots |= {
        "families": svg(partial(_bars, found=found.families, title="Importance by family")),
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
    axes.set(title="Learning curve", xlabel="iterations", ylabel="AUC")
    axes.legend(loc="center right")


def _bars(axes: Axes, found: tuple[Importance, ...], title: str) -> None:
    place = np.arange(len(found))[::-1]
    axes.barh(place, [each.auc_lost for each in found], color=MODEL, height=0.7)
    axes.set_yticks(place, [each.name for each in found])
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set(title=title, xlabel="AUC lost when permuted")


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


INK: Final = "#1d2b3a"
MODEL: Final = "#0b7285"
NAIVE: Final = "#a3aebb"
LATE: Final = "#e8590c"
STYLE: Final[dict[Any, Any]] = {
    "axes.edgecolor": "#c7cfd8",
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "grid.color": "#e9edf1",
    "legend.frameon": False,
    "lines.linewidth": 2,
    "svg.hashsalt": "ontime",
    "xtick.color": "#5b6b7b",
    "ytick.color": "#5b6b7b",
}
SIZE: Final = (5.2, 3.9)
_POINTS: Final = 300


def plots_of(flights: Scored, evaluation: Evaluation) -> dict[str, bytes]:
    """Return the plots by name, as SVG: roc, precision_recall, calibration, gain, scores.

    Args:
        flights: The test part with both models' probabilities.
        evaluation: What was measured of them.
    """
    draw: dict[str, Callable[[Axes, Scored, Evaluation], None]] = {
        "roc": _roc,
        "precision_recall": _precision_recall,
        "calibration": _calibration,
        "gain": _gain,
        "scores": _scores,
    }

    def drawn(name: str) -> bytes:
        return svg(lambda axes: draw[name](axes, flights, evaluation))

    return {name: drawn(name) for name in draw}


def svg(draw: Callable[[Axes], None], size: tuple[float, float] = SIZE) -> bytes:
    """Return what a function draws as an SVG image without a background.

    Args:
        draw: Draws on the axes that it is given.
        size: Width and height in inches.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        axes.grid(visible=True)
        axes.set_axisbelow(True)
        draw(axes)
        target = io.BytesIO()
        figure.savefig(target, format="svg", metadata={"Date": None}, transparent=True)
    return target.getvalue()


def _roc(axes: Axes, flights: Scored, evaluation: Evaluation) -> None:
    from sklearn.metrics import roc_curve  # noqa: PLC0415 - after wait_without_spinning

    for name, score, color, metrics in _both(flights, evaluation):
        false_alarms, hits, _ = roc_curve(flights.label, score)
        label = f"{name}, AUC {metrics[AUC].value:.3f}"
        axes.plot(*_thinned(false_alarms, hits), color=color, label=label)
    axes.plot([0, 1], [0, 1], color="#d5dbe1", linewidth=1, linestyle="--")
    axes.set(title="ROC", xlabel="on-time flights called late", ylabel="late flights called late")
    _percent(axes, both=True)
    axes.legend(loc="lower right")


def _precision_recall(axes: Axes, flights: Scored, evaluation: Evaluation) -> None:
    from sklearn.metrics import precision_recall_curve  # noqa: PLC0415 - after wait_without_spinning

    for name, score, color, metrics in _both(flights, evaluation):
        precision, recall, _ = precision_recall_curve(flights.label, score)
        label = f"{name}, average {metrics[AVERAGE_PRECISION].value:.3f}"
        axes.plot(*_thinned(recall[-2::-1], precision[-2::-1]), color=color, label=label)
    axes.axhline(evaluation.late_share, color="#d5dbe1", linewidth=1, linestyle="--")
    axes.annotate("share of late flights", (0.01, evaluation.late_share + 0.01), color="#8392a0")
    axes.set(title="Precision and recall", xlabel="recall", ylabel="precision", ylim=(0, 1.02))
    _percent(axes, both=True)
    axes.legend(loc="upper right")


def _calibration(axes: Axes, flights: Scored, evaluation: Evaluation) -> None:
    predicted = [each.mean_probability for each in evaluation.calibration]
    happened = [each.late_share for each in evaluation.calibration]
    count = np.array([each.flights for each in evaluation.calibration])
    axes.plot([0, 1], [0, 1], color="#d5dbe1", linewidth=1, linestyle="--")
    axes.plot(predicted, happened, color=MODEL, linewidth=1.5)
    axes.scatter(predicted, happened, s=12 + 260 * count / count.max(), color=MODEL, alpha=0.75)
    axes.annotate(f"area: part of {flights.label.size:,} flights", (0.02, 0.94), color="#8392a0")
    axes.set(title="Calibration", xlabel="probability given", ylabel="share that was late")
    axes.set(xlim=(0, 1.03), ylim=(0, 1.03))
    _percent(axes, both=True)


def _gain(axes: Axes, flights: Scored, evaluation: Evaluation) -> None:
    called = np.linspace(0, 1, _POINTS)
    perfect = np.minimum(called / evaluation.late_share, 1)
    axes.plot(called, perfect, color="#d5dbe1", linewidth=1, linestyle="--", label="perfect")
    for name, score, color, _ in _both(flights, evaluation):
        found = np.cumsum(flights.label[np.argsort(-score, kind="stable")])
        at = np.linspace(0, found.size - 1, _POINTS).astype(int)
        axes.plot((at + 1) / found.size, found[at] / found[-1], color=color, label=name)
    mark = evaluation.operating
    axes.plot(mark.alert_share, mark.recall, "o", color=LATE, label=f"at {mark.threshold:g}")
    axes.set(title="Gain", xlabel="flights called late", ylabel="late flights found")
    _percent(axes, both=True)
    axes.legend(loc="lower right")


def _scores(axes: Axes, flights: Scored, evaluation: Evaluation) -> None:
    edges = np.linspace(0, 1, 41)
    for value, name, color in ((0, "on time", NAIVE), (1, "late", LATE)):
        axes.hist(
            flights.score[flights.label == value],
            bins=edges.tolist(),
            color=color,
            alpha=0.65,
            label=name,
        )
    threshold = evaluation.operating.threshold
    axes.axvline(threshold, color=INK, linewidth=1.2)
    axes.annotate(
        f" threshold {threshold:g}",
        (threshold, 0.94),
        color=INK,
        xycoords=("data", "axes fraction"),
    )
    axes.set(title="Probabilities given", xlabel="probability", ylabel="flights")
    _percent(axes, both=False)
    axes.legend(loc="upper right")


def _both(
    flights: Scored, evaluation: Evaluation
) -> tuple[tuple[str, NDArray[np.float64], str, dict[str, Interval]], ...]:
    """Return name, probabilities, color and metrics of both models."""
    return (
        ("naive", flights.naive, NAIVE, evaluation.naive),
        ("model", flights.score, MODEL, evaluation.model),
    )


def _thinned(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return as many points of a curve over rising x as can be seen."""
    at = np.linspace(0, 1, _POINTS)
    return at, np.interp(at, x, y)


def _percent(axes: Axes, *, both: bool) -> None:
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    if both:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
