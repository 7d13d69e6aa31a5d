"""The notebooks executed, and rendered as pages.

Each `notebooks/*.py` is a notebook as text. It runs in a kernel of its own on the tables of this
home; a notebook that fails keeps its page, up to the error.
"""

from __future__ import annotations

import html
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jupytext
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter

from ontime_base.errors import OntimeError
from pipelines.runtime.figures import write_figures
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
NOTEBOOKS: Final = ROOT / "notebooks"
PAGES: Final = ROOT / "docs" / "notebooks"
CELL_LIMIT_S: Final = 600
_FAILURES: Final = (CellExecutionError, CellTimeoutError, DeadKernelError)
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1d2b3a;
  font: 16px/1.55 system-ui, sans-serif; }}
h1, h2 {{ line-height: 1.2; margin-top: 2.2rem; }}
pre {{ background: #f4f6f8; padding: .7rem .9rem; border-radius: 6px; overflow-x: auto;
  font-size: .82rem; line-height: 1.4; white-space: pre-wrap; }}
img, svg {{ max-width: 100%; height: auto; }}
table {{ border-collapse: collapse; font-size: .85rem; display: block; overflow-x: auto; }}
th, td {{ padding: .25rem .7rem; border-bottom: 1px solid #e3e8ee; text-align: right; }}
.jp-InputPrompt, .jp-OutputPrompt, .anchor-link, .prompt {{ display: none; }}
.ansi-red-fg {{ color: #c92a2a; }}
nav a {{ margin-right: 1rem; }}
</style></head><body>
<nav>{links}</nav>
{body}
</body></html>
"""


class NotebookError(OntimeError):
    """There is no such notebook."""


@dataclass(frozen=True)
class Executed:
    """What became of a notebook.

    Attributes:
        name: Of its file, without ending.
        seconds: How long it took.
        failure: What its failing cell said; None if all was well.
        page: Its page.
    """

    name: str
    seconds: float
    failure: str | None
    page: Path


def find_notebooks(names: Sequence[str] = ()) -> list[Path]:
    """Return the notebooks in order, or those that are named.

    Raises:
        NotebookError: A name is none of them.
    """
    every = sorted(NOTEBOOKS.glob("[0-9]*.py"))
    unknown = [name for name in names if name not in {path.stem for path in every}]
    if unknown:
        known = ", ".join(path.stem for path in every)
        raise NotebookError(f"There is no notebook '{unknown[0]}': use one of {known}.")
    return [path for path in every if not names or path.stem in names]


def execute(path: Path, pages: Path) -> Executed:
    """Execute a notebook on this home, and write its page."""
    started = time.perf_counter()
    notebook = jupytext.read(path)
    client = NotebookClient(
        notebook,
        timeout=CELL_LIMIT_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(ROOT)}},
    )
    # No port: nobody else can listen.
    client.create_kernel_manager().transport = "ipc"
    failure = None
    try:
        client.execute()
    except _FAILURES as error:
        failure = str(error).strip().splitlines()[-1]
    pages.mkdir(parents=True, exist_ok=True)
    page = pages / f"{path.stem}.html"
    page.write_text(_page(path.stem, notebook), encoding="utf-8")
    return Executed(path.stem, time.perf_counter() - started, failure, page)


def export(path: Path, folder: Path) -> Path:
    """Write a notebook without outputs as `.ipynb`, as a workspace of Databricks imports it."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{path.stem}.ipynb"
    jupytext.write(jupytext.read(path), target)
    return target


def _page(name: str, notebook: Any) -> str:  # noqa: ANN401 - nbformat is not typed
    exporter: Any = HTMLExporter(template_name="basic")  # type: ignore[no-untyped-call]  # nbconvert tells no types
    for cell in notebook.cells:  # warnings of libraries are for who runs it, not for who reads it
        told = [each for each in cell.get("outputs", []) if each.get("name") != "stderr"]
        if cell.cell_type == "code":
            cell.outputs = told
    body, _ = exporter.from_notebook_node(notebook)
    links = "".join(
        f'<a href="{path.stem}.html">{html.escape(path.stem)}</a>' for path in find_notebooks()
    )
    return _PAGE.format(title=f"Ontime: {html.escape(name)}", links=links, body=body)


def run_notebooks(names: Sequence[str] = (), *, to: Path = PAGES) -> int:
    """Execute notebooks, render their pages and write the figures; return 1 if one failed.

    Args:
        names: Such as `01_explore`; none: all.
        to: The folder of the pages.

    Raises:
        NotebookError: A name is none of them.
    """
    done = [_told(execute(path, to)) for path in find_notebooks(names)]
    failed = sum(each.failure is not None for each in done)
    figures = {
        "executed": len(done),
        "failed": failed,
        "seconds": round(sum(each.seconds for each in done), 1),
    }
    path = write_figures(load_settings().home, "notebooks", figures)
    print(f"\n{len(done)} executed, {failed} failed, {figures['seconds']} s; figures in {path}")
    return int(failed > 0)


def export_notebooks(folder: Path, names: Sequence[str] = ()) -> None:
    """Write notebooks without outputs as `.ipynb` files, and print their paths.

    Args:
        folder: Where to.
        names: As for `run_notebooks`.

    Raises:
        NotebookError: A name is none of them.
    """
    for path in find_notebooks(names):
        print(export(path, folder))


def _told(done: Executed) -> Executed:
    verdict = f"FAILED: {done.failure}" if done.failure else str(done.page)
    print(f"  {done.name:16} {done.seconds:6.1f} s  {verdict}", flush=True)
    return done
