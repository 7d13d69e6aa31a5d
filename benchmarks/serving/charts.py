"""Charts of the serving benchmark: throughput of each server, and latency against load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.serving.load import Load

_NAMES: Final = {
    "ontime": "Ontime",
    "fastapi_sklearn": "FastAPI + scikit-learn",
    "mlflow": "mlflow models serve",
    "bentoml": "BentoML",
    "mlserver": "MLServer",
}


def draw(found: dict[str, dict[str, list[Load]]], folder: Path) -> None:
    """Write `serving-peers.svg` and `serving-curve.svg` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _peers(found, folder / "serving-peers.svg")
    if "curve" in found.get("ontime", {}):
        _curve(found["ontime"]["curve"], folder / "serving-curve.svg")


def _peers(found: dict[str, dict[str, list[Load]]], path: Path) -> None:
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.add_subplot()
    best = {
        _NAMES[name]: max(load.per_s for load in loads["closed"]) for name, loads in found.items()
    }
    drawn = axes.barh(list(best), list(best.values()), color=["#e8590c"] + ["#0b7285"] * len(best))
    axes.bar_label(drawn, labels=[f"{each:,.0f}" for each in best.values()], padding=4)
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel="requests a second, one worker")
    axes.margins(x=0.15)
    figure.savefig(path, metadata={"Date": None})


def _curve(curve: list[Load], path: Path) -> None:
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.add_subplot()
    offered = [load.offered_per_s or 0 for load in curve]
    axes.plot(offered, [load.p50_ms for load in curve], marker="o", label="p50", color="#0b7285")
    axes.plot(offered, [load.p99_ms for load in curve], marker="o", label="p99", color="#e8590c")
    axes.set(yscale="log", xlabel="requests offered a second", ylabel="milliseconds")
    shed = axes.twinx()
    shares = [load.shed / max(1, load.asked) for load in curve]
    shed.bar(offered, shares, width=120, alpha=0.25, color="#868e96")
    shed.set(ylabel="share declined in order (429, 503)", ylim=(0, 1))
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend(loc="upper left")
    figure.savefig(path, metadata={"Date": None})
