"""The plots of the notebooks, drawn from small result frames."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from pipelines.explore.delays import ARRIVALS, GROUP, LATE_SHARE
from training.report.plots import INK, LATE, MODEL, NAIVE, STYLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from pyspark.sql import DataFrame

_MARKED: Final = 60  # more points than that need no marks
_NEW_YORK: Final = (40.70, -73.98)


@dataclass(frozen=True)
class Picture:
    """An image that a notebook shows, on a laptop and on Databricks alike.

    Attributes:
        png: Its bytes.
    """

    png: bytes

    def _repr_png_(self) -> bytes:
        return self.png


def bars(
    answer: DataFrame, label: str | Sequence[str], value: str, *, title: str, percent: bool = False
) -> Picture:
    """Return horizontal bars in the order of the rows, the first highlighted.

    Args:
        answer: A few rows.
        label: The column, or columns, that name a row.
        value: The column of its value.
        title: The title of the plot.
        percent: Whether the value is a share.
    """
    rows = _rows(answer)
    columns = [label] if isinstance(label, str) else list(label)
    names = [
        " to ".join(str(part) for part in row) for row in rows[columns].itertuples(index=False)
    ]
    figure, axes = _axes(title, height=1.2 + 0.34 * len(rows))
    colours = [LATE] + [MODEL] * (len(rows) - 1)
    drawn = axes.barh(names, rows[value], color=colours[: len(rows)])
    axes.bar_label(drawn, labels=[_text(each, percent=percent) for each in rows[value]], padding=4)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    return _picture(figure)


def columns(
    answer: DataFrame, label: str, value: str, *, title: str, percent: bool = False
) -> Picture:
    """Return upright bars in the order of the rows, the highest highlighted."""
    rows = _rows(answer)
    figure, axes = _axes(title)
    highest = rows[value].max()
    colours = [LATE if each == highest else MODEL for each in rows[value]]
    axes.bar([str(each) for each in rows[label]], rows[value], color=colours)
    _value_axis(axes, value, percent=percent)
    axes.set_xlabel(label.replace("_", " "))
    return _picture(figure)


def number(answer: DataFrame, by_month: DataFrame, value: str, *, title: str) -> Picture:
    """Return an answer of one number, above how it came about month by month.

    Args:
        answer: One row; its first column is the number.
        by_month: The same by month: `month` and `value`.
        value: The column of `by_month`.
        title: What the number is.
    """
    (first, *_) = _rows(answer).iloc[0]
    rows = _rows(by_month)
    figure, axes = _axes(f"{title}: {_text(float(first), percent=False)}", height=3.0)
    axes.bar([str(each) for each in rows["month"]], rows[value], color=NAIVE)
    _value_axis(axes, value, percent=False)
    axes.set_xlabel("month")
    return _picture(figure)


def late_line(answer: DataFrame, *, title: str, axis: str) -> Picture:
    """Return the share of late arrivals over ordered groups, with the number of arrivals behind."""
    rows = _rows(answer).dropna(subset=[GROUP])
    figure, axes = _axes(title)
    behind = axes.twinx()
    width = 0.8 * float(np.min(np.diff(rows[GROUP]))) if len(rows) > 1 else 0.8
    behind.bar(rows[GROUP], rows[ARRIVALS], width=width, color="#e9edf1")
    behind.set_ylabel("arrivals")
    behind.spines["top"].set_visible(False)
    behind.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_zorder(behind.get_zorder() + 1)
    axes.patch.set_visible(False)
    few = len(rows) <= _MARKED
    axes.plot(rows[GROUP], rows[LATE_SHARE], color=LATE, marker="o" if few else None, linewidth=1.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=bool((rows[GROUP] % 1 == 0).all())))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set(xlabel=axis, ylabel="late by 15 min or more", ylim=(0, None))
    return _picture(figure)


def route_map(answer: DataFrame, *, title: str) -> Picture:
    """Return the routes from New York by place: width is traffic, colour the share of late."""
    rows = _rows(answer)
    figure, axes = _axes(title, height=5.2)
    shades = mpl.colormaps["viridis"]
    low, high = (float(rows[LATE_SHARE].quantile(share)) for share in (0.05, 0.95))
    row: Any  # pandas does not know the columns
    for row in rows.itertuples():
        share = (getattr(row, LATE_SHARE) - low) / (high - low)
        wide = 0.3 + 3.2 * getattr(row, ARRIVALS) / rows[ARRIVALS].max()
        east, north = [_NEW_YORK[1], float(row.longitude)], [_NEW_YORK[0], float(row.latitude)]
        axes.plot(east, north, color=shades(share), linewidth=wide, alpha=0.7)
    dots = axes.scatter(
        rows["longitude"],
        rows["latitude"],
        c=rows[LATE_SHARE],
        s=14,
        cmap=shades,
        vmin=low,
        vmax=high,
    )
    for row in rows.nlargest(12, ARRIVALS).itertuples():
        axes.annotate(
            str(getattr(row, GROUP)), (row.longitude, row.latitude), fontsize=8, color=INK
        )
    bar = figure.colorbar(dots, ax=axes, shrink=0.7, label="late by 15 min or more")
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set(xlabel="longitude", ylabel="latitude", aspect=1.3)
    return _picture(figure)


def missing_map(answer: DataFrame, *, title: str) -> Picture:
    """Return the share of missing values by column and month as a map of shades."""
    rows = _rows(answer).set_index("month")
    figure, axes = _axes(title, height=1.4 + 0.32 * rows.shape[1])
    image = axes.imshow(rows.T, aspect="auto", cmap="YlOrRd", vmin=0, vmax=max(0.05, _most(rows)))
    axes.set_xticks(range(len(rows)), [f"{month:%b}" for month in rows.index])
    axes.set_yticks(range(rows.shape[1]), rows.columns)
    bar = figure.colorbar(image, ax=axes, label="missing")
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return _picture(figure)


def _rows(answer: DataFrame) -> pd.DataFrame:
    rows: pd.DataFrame = answer.toArrow().to_pandas()
    return rows


def _most(rows: pd.DataFrame) -> float:
    return float(rows.max().max())


def _axes(title: str, *, height: float = 3.6) -> tuple[Figure, Axes]:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, height), layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(title)
    return figure, axes


def _value_axis(axes: Axes, name: str, *, percent: bool) -> None:
    axes.set_ylabel(name.replace("_", " "))
    if percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    else:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _text(value: float, *, percent: bool) -> str:
    if percent:
        return f"{value:.1%}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def _picture(figure: Figure) -> Picture:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return Picture(buffer.getvalue())
