"""`make house`: the structure of the packages in figures; an import circle fails.

Counts modules and lines of the product packages and finds import circles, of modules and of rooms
(sub-packages), in them and in the benchmarks. Every import statement counts: at the top, in a
function and under `TYPE_CHECKING`. Writes `<home>/figures/house.json`.
"""

from __future__ import annotations

import ast
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGES: Final = ("ontime_base", "features", "training", "serving", "operations", "pipelines")
WITH_TOOLS: Final = (*PACKAGES, "benchmarks")  # also searched for circles, but not counted
MOST_MODULES: Final = 16  # side by side in one package, `__init__` not counted
MOST_ROOMS: Final = 16


def modules_of(root: Path = ROOT, packages: Sequence[str] = PACKAGES) -> dict[str, Path]:
    """Return the file of every module by its dotted name; a package is its `__init__`."""
    found = {}
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(modules: Mapping[str, Path]) -> dict[str, set[str]]:
    """Return which of the modules each module imports, wherever in the file."""
    return {
        name: set(_imported(ast.parse(path.read_text("utf-8")), modules)) - {name}
        for name, path in modules.items()
    }


def _imported(tree: ast.AST, modules: Mapping[str, Path]) -> Iterable[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if full in modules:
                    yield full
                elif node.module in modules:
                    yield node.module


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups of nodes that reach each other (strongly connected, two or more)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            group = []
            while (last := stack.pop()) != node:
                group.append(last)
            if group:
                found.append(sorted([*group, node]))

    for node in sorted(graph):
        if node not in order:
            visit(node)
    return found


def room_of(name: str, modules: Mapping[str, Path]) -> str:
    """Return the room of a module: the sub-package that it is in, else the module itself."""
    parts = name.split(".")
    if len(parts) == 1:
        return name
    inner = ".".join(parts[:2])
    return inner if modules[inner].name == "__init__.py" else name


def rooms_graph(graph: Mapping[str, set[str]], modules: Mapping[str, Path]) -> dict[str, set[str]]:
    """Return which room imports which."""
    rooms: dict[str, set[str]] = {}
    for name, imported in graph.items():
        own = room_of(name, modules)
        rooms.setdefault(own, set()).update(room_of(other, modules) for other in imported)
        rooms[own].discard(own)
    return rooms


def circles_in(root: Path = ROOT) -> list[list[str]]:
    """Return the circles of modules, then those of rooms, in products and benchmarks."""
    modules = modules_of(root, WITH_TOOLS)
    graph = imports_of(modules)
    found = circles(graph)
    rooms = circles(rooms_graph(graph, modules))
    return [*found, *(group for group in rooms if group not in found)]


def figures_of(root: Path = ROOT) -> tuple[dict[str, int], list[list[str]], list[str]]:
    """Return the figures, the circles, and the packages that hold too many at one level."""
    modules = modules_of(root)
    graph = imports_of(modules)
    found = circles_in(root)
    held: dict[Path, int] = {}
    rooms: dict[Path, int] = {}
    for path in modules.values():
        if path.name == "__init__.py":
            rooms[path.parent.parent] = rooms.get(path.parent.parent, 0) + 1
        else:
            held[path.parent] = held.get(path.parent, 0) + 1
    rooms.pop(root, None)
    importers = {name: sum(name in imported for imported in graph.values()) for name in modules}
    too_large = [
        f"{folder.relative_to(root)} holds {count}"
        for counts, most in ((held, MOST_MODULES), (rooms, MOST_ROOMS))
        for folder, count in counts.items()
        if count > most
    ]
    figures = {
        "modules_largest_package": max(held.values(), default=0),
        "packages_largest_package": max(rooms.values(), default=0),
        "import_circles": len(found),
        "modules_with_one_importer": sum(
            importers[name] == 1 for name, path in modules.items() if path.name != "__init__.py"
        ),
        "modules": sum(path.name != "__init__.py" for path in modules.values()),
        "product_lines": sum(
            len(path.read_text("utf-8").splitlines()) for path in modules.values()
        ),
    }
    return figures, found, too_large


def main() -> int:
    """Print and write the figures; return 1 if there is a circle or a package is too large."""
    figures, found, too_large = figures_of()
    for name, value in figures.items():
        print(f"{name:<28}{value:>8,}")
    for group in found:
        print(f"circle: {' <-> '.join(group)}", file=sys.stderr)
    for line in too_large:
        print(f"too many at one level: {line}", file=sys.stderr)
    home = Path(os.environ.get("ONTIME_HOME") or ROOT / ".ontime")
    target = home / "figures" / "house.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    return int(bool(found or too_large))


if __name__ == "__main__":
    sys.exit(main())
