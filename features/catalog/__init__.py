"""All declared features, in the order of the feature table's columns.

Reads nothing, writes nothing. May import arithmetic and declare. To add features, add a module with
a tuple `FEATURES` to this package: it is discovered.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Final

from features.catalog import history, latest, recent, schedule, tail, weather

if TYPE_CHECKING:
    from collections.abc import Iterator

    from features.declare.declarations import Feature

_FIRST: Final = (schedule, weather, recent, history, tail, latest)


def _declared() -> Iterator[Feature]:
    """Yield the features of the modules in `_FIRST`, then of all other modules by name."""
    for module in _FIRST:
        yield from module.FEATURES
    listed = {module.__name__ for module in _FIRST}
    for found in sorted(iter_modules(__path__), key=lambda found: found.name):
        name = f"{__name__}.{found.name}"
        if name not in listed:
            yield from import_module(name).FEATURES


FEATURES: Final[tuple[Feature, ...]] = tuple(_declared())
