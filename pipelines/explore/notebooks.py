"""Executes the notebooks, and renders them as HTML pages.

Each `notebooks/*.py` is a notebook as text. It runs in a kernel of its own on the tables of this
home; a notebook that fails has a page as well, up to the error.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jupytext
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter

from ontime_base.errors import OntimeError
from pipelines.html_pages import write_page
from pipelines.runtime.figures import write_figures
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
NOTEBOOKS: Final = ROOT / "notebooks"
PAGES: Final = ROOT / "docs" / "notebooks"
CELL_LIMIT_S: Final = 600
_FAILURES: Final = (CellExecutionError, CellTimeoutError, DeadKernelError)
_TEMPLATE: Final = Path(__file__).with_name("notebooks.html")


class NotebookError(OntimeError):
    """There is no such notebook."""


@dataclass(frozen=True)
class Executed:
    """The result of executing a notebook.

    Attributes:
        name: Of its file, without ending.
        seconds: How long it took.
        failure: The error of its failing cell; None if there is none.
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
    # Over a socket file: no port is open.
    client.create_kernel_manager().transport = "ipc"
    failure = None
    try:
        client.execute()
    except _FAILURES as error:
        failure = str(error).strip().splitlines()[-1]
    page = _write_page(path.stem, notebook, pages)
    return Executed(path.stem, time.perf_counter() - started, failure, page)


def export(path: Path, folder: Path) -> Path:
    """Write a notebook without outputs as `.ipynb`, as a workspace of Databricks imports it."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{path.stem}.ipynb"
    jupytext.write(jupytext.read(path), target)
    return target


def _write_page(name: str, notebook: Any, folder: Path) -> Path:  # noqa: ANN401 - nbformat is not typed
    """Write the page of an executed notebook, without the warnings of libraries."""
    exporter: Any = HTMLExporter(template_name="basic")  # type: ignore[no-untyped-call]  # nbconvert has no types
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [each for each in cell.outputs if each.get("name") != "stderr"]
    body, _ = exporter.from_notebook_node(notebook)
    return write_page(
        folder / f"{name}.html",
        _TEMPLATE,
        title=f"Ontime: {name}",
        names=[path.stem for path in find_notebooks()],
        body=body,
    )


def run_notebooks(names: Sequence[str] = (), *, to: Path = PAGES) -> int:
    """Execute notebooks, render their pages and write the figures; return 1 if one failed.

    Args:
        names: Such as `01_explore`; none: all.
        to: The folder of the pages.

    Raises:
        NotebookError: A name is none of them.
    """
    done = [_reported(execute(path, to)) for path in find_notebooks(names)]
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


def _reported(done: Executed) -> Executed:
    verdict = f"FAILED: {done.failure}" if done.failure else str(done.page)
    print(f"  {done.name:16} {done.seconds:6.1f} s  {verdict}", flush=True)
    return done
