"""The few operations of feature arithmetic that numpy and Python spell differently.

Each works element by element on float64 arrays, and on one Python float, and gives the same bits:
IEEE 754 with NaN for missing, where Python alone would raise. One flight needs no numpy, and is
several times faster without.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    import numpy as np
    from numpy.typing import NDArray

Values: TypeAlias = "NDArray[np.float64] | float"


def divided(left: Values, right: Values) -> Values:
    """Return `left / right`: NaN for 0 / 0, infinite for anything else by 0."""
    if not isinstance(right, float) or right:
        return left / right
    if isinstance(left, float):
        if left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1.0, right)
    return _arrays().divide(left, right)  # type: ignore[no-any-return]


def least(left: Values, right: Values) -> Values:
    """Return the smaller of two; NaN where either is."""
    if isinstance(left, float) and isinstance(right, float):
        if math.isnan(left) or math.isnan(right):
            return math.nan
        return min(left, right)
    return _arrays().minimum(left, right)  # type: ignore[no-any-return]


def greatest(left: Values, right: Values) -> Values:
    """Return the greater of two; NaN where either is."""
    if isinstance(left, float) and isinstance(right, float):
        if math.isnan(left) or math.isnan(right):
            return math.nan
        return max(left, right)
    return _arrays().maximum(left, right)  # type: ignore[no-any-return]


def otherwise(values: Values, missing: Values, present: Values) -> Values:
    """Return `missing` where `values` are NaN, `present` elsewhere."""
    if isinstance(values, float):
        return missing if math.isnan(values) else present
    return _arrays().where(values != values, missing, present)  # type: ignore[no-any-return]  # noqa: PLR0124 - NaN is not itself


def looked_up(table: Callable[[int], float], keys: Values) -> Values:
    """Return a function of whole numbers, called once for each that there is."""
    if isinstance(keys, float):
        return table(int(keys))
    numpy = _arrays()
    unique, inverse = numpy.unique(keys, return_inverse=True)
    found = numpy.array([table(int(key)) for key in unique], dtype=numpy.float64)
    return found[inverse]  # type: ignore[no-any-return]


def _arrays() -> ModuleType:
    import numpy as np  # noqa: PLC0415 - whoever has arrays has loaded it; one flight needs none

    return np
