"""The picture of `make bench-run`: where the seconds go, one bar for each thing waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_OTHER: Final = "0.75"  # gray
_COLOURS: Final = {
    "ingest": "C0",
    "build_features": "C1",
    "train": "C2",
    "evaluate": "C3",
    "register": "C4",
    "publish": "C5",
    "promote": "C6",
}
_LABELLED: Final = 0.04  # of the longest bar: what is shorter has no room for its seconds


def draw(seconds: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """Write the bars as SVG.

    Args:
        seconds: For each thing waited for, the seconds of its parts in order.
        path: Where to write.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(8.5, 0.6 + 0.42 * len(seconds)), layout="constrained")
    axes = figure.add_subplot()
    longest = max(sum(parts.values()) for parts in seconds.values())
    shown: set[str] = set()
    for row, parts in enumerate(seconds.values()):
        left = 0.0
        for part, value in parts.items():
            colour = _COLOURS.get(part, _OTHER)
            label = part if part in _COLOURS and part not in shown else None
            shown.add(part)
            bar = axes.barh(row, value, left=left, color=colour, label=label)
            if value > _LABELLED * longest:
                axes.bar_label(bar, [f"{value:.0f}"], label_type="center", fontsize="small")
            left += value
        axes.text(left, row, f" {left:.1f} s", va="center", fontsize="small")
    axes.set_yticks(range(len(seconds)), list(seconds))
    axes.invert_yaxis()
    axes.set(xlabel="seconds", xlim=(0, longest * 1.12))
    axes.set_title("How long a person waits: the real year on this machine", fontsize="medium")
    axes.legend(fontsize="small", loc="lower right", frameon=False)
    figure.savefig(path, metadata={"Date": None})
