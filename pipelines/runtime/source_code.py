"""The source files that a module runs with, each with a checksum of its statements.

A module runs with what it imports, in this repository. Comments, docstrings and layout of the
source do not count, nor do the modules that only run the stages.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from contextlib import contextmanager, suppress
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from ontime_base.atomic_files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("ontime_base", "features", "training", "serving", "operations", "pipelines")
# They run stages and report on them: no result depends on them.
FRAME = frozenset(
    (
        "pipelines.run",
        "pipelines.settings",
        "pipelines.stages",
        *(
            f"pipelines.runtime.{name}"
            for name in (
                "command",
                "console",
                "context",
                "dead_runs",
                "fingerprint",
                "home_lock",
                "runner",
                "settings_reads",
                "source_code",
                "stage_records",
                "staleness",
                "summary",
            )
        ),
    )
)


class _Code(NamedTuple):
    """The fingerprinted properties of a source text.

    Attributes:
        digest: The same for the same statements, whatever their layout, comments and docstrings.
        imported: The modules of ours that it imports.
        lists_modules: Whether it discovers modules itself, by `pkgutil.iter_modules`.
    """

    digest: str
    imported: tuple[str, ...]
    lists_modules: bool


# By the checksum of the text: what this process or, within `remembered_code`, one before it parsed.
_parsed: dict[str, _Code] = {}
_MOST: Final = 5_000  # texts of earlier versions are among them: then it starts again


@contextmanager
def remembered_code(home: Path) -> Iterator[None]:
    """Parse no source text within the block that an earlier process on the home has parsed.

    It only saves time: a file that cannot be read or written is none.
    """
    path = home / "stages" / "source_code.cache"
    # Another version of Python, or of this module, may compute other checksums.
    made_by = hashlib.sha256(sys.version.encode() + Path(__file__).read_bytes()).hexdigest()
    stored: dict[str, _Code] = {}
    with suppress(OSError, msgspec.MsgspecError):
        by, codes = msgspec.json.decode(path.read_bytes(), type=tuple[str, dict[str, _Code]])
        stored = codes if by == made_by and len(codes) < _MOST else {}
    _parsed.update(stored)
    try:
        yield
    finally:
        if not _parsed.keys() <= stored.keys():
            with suppress(OSError):
                write_atomically(path, msgspec.json.encode((made_by, _parsed)))


def code_of(module: str, root: Path = ROOT) -> dict[str, str]:
    """Return the source files that a module runs with, itself included, each with its hash.

    Follows imports inside the five packages, through modules but not through those of the frame;
    data files (YAML, JSON, SQL, HTML) beside a file that counts, count too.
    """
    found: dict[Path, str] = {}
    seen, folders, waiting = set(FRAME), set[Path](), [module]
    while waiting:
        name = waiting.pop()
        path = None if name in seen else _source(name, root)
        seen.add(name)
        if path is None:
            continue
        code = _read(path.read_text(encoding="utf-8"))
        found[path] = code.digest
        folders.add(path.parent)
        waiting.extend(code.imported)
        if code.lists_modules and path.name == "__init__.py":
            waiting.extend(_modules_beside(path))
    for beside in (file for folder in folders for file in _data_files(folder)):
        found[beside] = hashlib.sha256(beside.read_bytes()).hexdigest()
    return {str(path.relative_to(root)): digest for path, digest in found.items()}


def _source(module: str, root: Path) -> Path | None:
    """Return the file of a module of this repository, or None for anything else."""
    path = root.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _read(text: str) -> _Code:
    checksum = hashlib.sha256(text.encode()).hexdigest()
    if checksum not in _parsed:
        _parsed[checksum] = _parse(text)
    return _parsed[checksum]


def _parse(text: str) -> _Code:
    tree = ast.parse(text)
    imported = tuple(dict.fromkeys(_imports(tree)))
    lists_modules = "iter_modules" in text and any(
        isinstance(node, ast.Name) and node.id == "iter_modules" for node in ast.walk(tree)
    )
    _drop_docstrings(tree)
    digest = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return _Code(digest, imported, lists_modules)


def _drop_docstrings(node: ast.AST) -> None:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        first = node.body[0] if node.body else None
        if (
            isinstance(first, ast.Expr)
            and isinstance(first.value, ast.Constant)
            and isinstance(first.value.value, str)
        ):
            node.body = node.body[1:]
    for statement in _statements_in(node):
        _drop_docstrings(statement)


def _imports(tree: ast.AST) -> Iterator[str]:
    """Yield the names that might be modules of ours, wherever they are imported at run time."""
    for node in _statements_in(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            names = []
            yield from _imports(node)
        for name in names:
            if name.split(".")[0] in PACKAGES:
                yield from accumulate(name.split("."), "{}.{}".format)  # its packages as well


def _statements_in(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements right below one: most of a tree are expressions, not looked into."""
    for name in ("body", "handlers", "cases", "orelse", "finalbody"):
        yield from getattr(node, name, ())


def _modules_beside(path: Path) -> list[str]:
    """Return all modules of the package that has this `__init__.py`."""
    top = next(parent for parent in path.parents if parent.name in PACKAGES)
    package = ".".join(path.parent.relative_to(top.parent).parts)
    return [f"{package}.{module.stem}" for module in sorted(path.parent.glob("[a-z]*.py"))]


def _data_files(folder: Path) -> list[Path]:
    suffixes = {".yaml", ".json", ".sql", ".html", ".xml"}
    return sorted(path for path in folder.iterdir() if path.suffix in suffixes)
