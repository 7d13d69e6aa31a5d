"""Pages for people: one HTML file each, with all it needs inside, so that it opens anywhere."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ontime_base.atomic_files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_STYLE = """
:root { color-scheme: light dark; --line: #d5d9e0; --quiet: #5d6673; --good: #1a7f37;
  --bad: #c62828; --bar: #4a7ebb; }
@media (prefers-color-scheme: dark) { :root { --line: #3a414c; --quiet: #9aa4b2; --good: #56d364;
  --bad: #ff7b72; --bar: #79a8e0; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 66rem; margin: 2.5rem auto;
  padding: 0 1.2rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p.quiet, td.quiet { color: var(--quiet); } .good { color: var(--good); } .bad { color: var(--bad); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .9rem .25rem 0;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--quiet); } td.number { text-align: right;
  font-variant-numeric: tabular-nums; }
code { font: .92em/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
svg rect { fill: var(--bar); } svg rect.bad { fill: var(--bad); }
"""


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: What it says; escaped.
        style: A class of the style sheet: `good`, `bad`, `quiet` or `number`.
        link: Where it leads.
        markup: HTML that comes after the text as it is.
    """

    text: str
    style: str = ""
    link: str = ""
    markup: str = ""

    def html(self) -> str:
        """Return the cell as HTML."""
        text = html.escape(self.text)
        inside = f'<a href="{html.escape(self.link)}">{text}</a>' if self.link else text
        style = f' class="{self.style}"' if self.style else ""
        return f"<td{style}>{inside}{self.markup}</td>"


def number(value: int) -> Cell:
    """Return a cell with a number."""
    return Cell(f"{value:,}", "number")


def table_of(header: Sequence[str], rows: Iterable[Sequence[Cell | str]]) -> str:
    """Return a table as HTML; texts are escaped."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in header)
    lines = (
        "".join((Cell(cell) if isinstance(cell, str) else cell).html() for cell in row)
        for row in rows
    )
    return (
        f"<table><tr>{head}</tr>\n" + "".join(f"<tr>{line}</tr>\n" for line in lines) + "</table>"
    )


def bars(values: Sequence[int], *, marked: Iterable[int] = (), label: str = "") -> str:
    """Return a small bar chart as HTML: a bar for each value, some of them marked."""
    most, wide = max(values, default=0) or 1, 620 / max(len(values), 1)
    bad = set(marked)
    drawn = []
    for place, value in enumerate(values):
        tall = max(40 * value / most, 0.6)
        style = ' class="bad"' if place in bad else ""
        drawn.append(
            f'<rect x="{place * wide:.2f}" y="{40 - tall:.2f}" width="{max(wide * 0.85, 0.5):.2f}" '
            f'height="{tall:.2f}"{style}/>'
        )
    return (
        f'<svg role="img" aria-label="{html.escape(label)}" viewBox="0 0 620 40" width="100%" '
        f'height="40" preserveAspectRatio="none">{"".join(drawn)}</svg>'
    )


def write_page(path: Path, *, title: str, intro: str, body: str) -> Path:
    """Write a page whole and return its path.

    Args:
        path: The file.
        title: Its title; escaped.
        intro: A sentence below it; escaped.
        body: The rest, as HTML.
    """
    name = html.escape(title)
    text = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name}</title><style>{_STYLE}</style></head>\n<body><h1>{name}</h1>"
        f'<p class="quiet">{html.escape(intro)}</p>\n{body}\n</body></html>\n'
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode())
    return path
