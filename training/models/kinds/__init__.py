"""All kinds of models, by name.

Every module here is a kind by being here: it defines `KIND`, an instance of its `ModelKind`.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from training.models.interface import AnyKind

DEFAULT_KIND: Final = "hist_gradient_boosting"


def _found() -> Mapping[str, AnyKind]:
    names = sorted(found.name for found in iter_modules(__path__))
    kinds = [import_module(f"{__name__}.{name}").KIND for name in names]
    return {kind.name: kind for kind in kinds}


KINDS: Final[Mapping[str, AnyKind]] = _found()
