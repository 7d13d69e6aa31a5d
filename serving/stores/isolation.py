"""Applies items together, and each by itself where that fails: one bad item never takes others."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from serving.stores.errors import is_outage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ItemT = TypeVar("ItemT")


def apply_isolated(
    items: Sequence[ItemT], apply: Callable[[Sequence[ItemT]], object]
) -> dict[int, Exception]:
    """Apply items in one call, or one by one if that fails; return the failures by position.

    An outage is no fault of an item: it ends the attempts, and everything not applied has failed.

    Args:
        items: The items.
        apply: Applies some of them; must be idempotent, as it may be called again for an item.
    """
    if not items:
        return {}
    try:
        apply(items)
    except Exception as error:  # noqa: BLE001 - one of the items may be the cause
        if len(items) == 1 or is_outage(error):
            return dict.fromkeys(range(len(items)), error)
    else:
        return {}
    failures: dict[int, Exception] = {}
    for position, item in enumerate(items):
        try:
            apply([item])
        except Exception as error:  # noqa: BLE001 - returned
            if is_outage(error):
                return failures | dict.fromkeys(range(position, len(items)), error)
            failures[position] = error
    return failures
