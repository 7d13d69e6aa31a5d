"""All features, in the order of the feature table's columns.

Every module here is part of it: a new one only has to be put here, with its `FEATURES`.
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
    """Yield the features of the first modules, then those of the others by the modules' names."""
    for module in _FIRST:
        yield from module.FEATURES
    placed = {module.__name__ for module in _FIRST}
    for found in sorted(iter_modules(__path__), key=lambda found: found.name):
        name = f"{__name__}.{found.name}"
        if name not in placed:
            yield from import_module(name).FEATURES


FEATURES: Final[tuple[Feature, ...]] = tuple(_declared())
