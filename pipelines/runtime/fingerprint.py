"""The fingerprint of a stage: a checksum of each input, and the difference of two such lists.

A part is a source file, the version of a library, a configuration key or an upstream output. Only
what a stage really uses is a part: its module and what that imports, in this repository. Comments,
docstrings and layout of the source do not count, nor do the modules that only run the stages.
"""

from __future__ import annotations

import ast
import hashlib
import json
from functools import cache, reduce
from importlib.metadata import version
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ontime_base.configuration import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipelines.runtime.context import RunContext
    from pipelines.settings import PipelineSettings
    from pipelines.stages import Stage, Value

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
                "stage_records",
                "staleness",
                "summary",
            )
        ),
    )
)


def parts_of(
    stage: Stage,
    context: RunContext,
    outside: Mapping[str, str] | None = None,
    arguments: Mapping[str, Value | None] | None = None,
) -> dict[str, str]:
    """Return what a stage's result would be made from now, by name.

    Args:
        stage: The stage.
        context: Its settings and the records of the stages before it.
        outside: Inputs that no stage makes, such as source files, with their checksums; if any.
        arguments: What its `run` is given by name, if anything.

    Raises:
        StageNotRunError: A stage before it has not succeeded.
    """
    parts = {f"source {name}": value for name, value in (outside or {}).items()}
    parts |= {f"argument {name}": _text(value) for name, value in (arguments or {}).items()}
    for read in stage.reads:
        upstream, output = read.split(".", 1)
        parts[f"{upstream}'s {output}"] = _text(context.outputs(upstream)[output])
    for module in (stage.module, *stage.code):
        parts |= dict(sorted(code_of(module).items()))
    parts |= {library: version(library) for library in stage.libraries}
    for path in stage.settings:
        parts |= {key: _text(value) for key, value in _values(path, context.settings)}
    return parts


def places_of(stage: Stage, settings: PipelineSettings) -> dict[str, str]:
    """Return the settings that decide where a stage's result is stored, by name, as checksums.

    They do not affect the content of the result, and an address may hold a password.

    Args:
        stage: The stage.
        settings: The configuration.
    """
    values = {key: each for path in stage.places for key, each in _values(path, settings)}
    return {key: hashlib.sha256(_text(value).encode()).hexdigest() for key, value in values.items()}


def fingerprint(parts: Mapping[str, str]) -> str:
    """Return the SHA-256 of a stage's parts, in hex."""
    return hashlib.sha256(_text(dict(parts)).encode()).hexdigest()


def difference(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return a short text on what changed between two lists of parts; empty if nothing did."""
    changed = [name for name in {**now, **before} if before.get(name) != now.get(name)]
    if not changed:
        return ""
    more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
    return _described(changed[0], before, now) + more


def code_of(module: str, root: Path = ROOT) -> dict[str, str]:
    """Return the source files that a module runs with, itself included, each with its hash.

    Follows imports inside the five packages, through modules but not through those of the frame;
    data files (YAML, JSON, SQL, HTML) beside a file that counts, count too.
    """
    seen: dict[str, str] = {}
    waiting = [module]
    while waiting:
        path = _source(waiting.pop(), root)
        if path is None or str(path.relative_to(root)) in seen:
            continue
        code = _read(path.read_text(encoding="utf-8"))
        seen[str(path.relative_to(root))] = code.digest
        waiting.extend(name for name in code.imported if name not in FRAME)
        if code.lists_modules and path.name == "__init__.py":
            waiting.extend(_modules_beside(path))
        for beside in _data_files(path.parent):
            seen[str(beside.relative_to(root))] = hashlib.sha256(beside.read_bytes()).hexdigest()
    return seen


def _values(path: str, settings: PipelineSettings) -> Iterator[tuple[str, Any]]:
    data: Any = reduce(getattr, path.split("."), settings)
    pydantic = isinstance(data, Settings)
    plain = data.model_dump(mode="json") if pydantic else msgspec.to_builtins(data)
    yield from _leaves(path, plain)


def _described(name: str, before: Mapping[str, str], now: Mapping[str, str]) -> str:
    if name not in before:
        return f"{name} is new"
    if name not in now:
        return f"{name} is gone"
    short = all(len(value[name]) <= 20 for value in (before, now))  # noqa: PLR2004 - fits a line
    return f"{name} is {now[name]}, was {before[name]}" if short else f"{name} changed"


def _leaves(prefix: str, data: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any JSON
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _leaves(f"{prefix}.{key}", value)
    else:
        yield prefix, data


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _source(module: str, root: Path) -> Path | None:
    """Return the file of a module of this repository, or None for anything else."""
    path = root.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


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


@cache
def _read(text: str) -> _Code:
    tree = ast.parse(text)
    imported = tuple(dict.fromkeys(_imports(tree)))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            _drop_docstring(node)
    digest = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return _Code(digest, imported, "iter_modules" in names)


def _drop_docstring(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
) -> None:
    first = node.body[0] if node.body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        node.body = node.body[1:]


def _imports(tree: ast.AST) -> Iterator[str]:
    """Yield the names that might be modules of ours, wherever they are imported at run time."""
    for node in ast.iter_child_nodes(tree):
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


def _modules_beside(path: Path) -> list[str]:
    """Return all modules of the package that has this `__init__.py`."""
    top = next(parent for parent in path.parents if parent.name in PACKAGES)
    package = ".".join(path.parent.relative_to(top.parent).parts)
    return [f"{package}.{module.stem}" for module in sorted(path.parent.glob("[a-z]*.py"))]


def _data_files(folder: Path) -> list[Path]:
    suffixes = {".yaml", ".json", ".sql", ".html", ".xml"}
    return sorted(path for path in folder.iterdir() if path.suffix in suffixes)
