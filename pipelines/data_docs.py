"""Data docs: a page for each validated table, and an index of them, below `reports/data_docs/`."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult

_INDEX = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Data docs</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; }}
td, th {{ text-align: left; padding: .2rem 1.5rem .2rem 0; }}
</style></head>
<body><h1>Data docs</h1>
<p>What the tables were expected to be, and what was found when they were last written.</p>
<table><tr><th>Table</th><th>Result</th></tr>
{rows}
</table></body></html>
"""


def data_docs_index(home: Path) -> Path:
    """Return the index page of a home folder's data docs."""
    return home / "reports" / "data_docs" / "index.html"


def write_page(result: ExpectationSuiteValidationResult, *, table: str, home: Path) -> Path:
    """Write the page of a validation, renew the index, and return the page's path."""
    from great_expectations.render.renderer import (  # noqa: PLC0415 - takes 2 s
        ValidationResultsPageRenderer,
    )
    from great_expectations.render.view import DefaultJinjaPageView  # noqa: PLC0415

    index = data_docs_index(home)
    index.parent.mkdir(parents=True, exist_ok=True)
    page = index.parent / f"{table}.{'met' if result.success else 'broken'}.html"
    for other in index.parent.glob(f"{table}.*.html"):
        other.unlink()
    view: Any = DefaultJinjaPageView()  # its methods have no types
    text = view.render(ValidationResultsPageRenderer().render(result))
    page.write_text(text.replace("../../../../index.html", index.name), encoding="utf-8")
    _write_index(index)
    return page


def _write_index(index: Path) -> None:
    rows = []
    for page in sorted(index.parent.glob("*.*.html")):
        table, verdict = Path(page.stem).stem, page.stem.rpartition(".")[2]
        name = html.escape(table)
        rows.append(f'<tr><td><a href="{page.name}">{name}</a></td><td>{verdict}</td></tr>')
    index.write_text(_INDEX.format(rows="\n".join(rows)), encoding="utf-8")
