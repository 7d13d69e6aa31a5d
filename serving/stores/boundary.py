"""The boundary of a store: whatever its client raises becomes the store's error."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from ontime_base.errors import OntimeError
from serving.stores.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

StoreT = TypeVar("StoreT", bound=type)
P = ParamSpec("P")
R = TypeVar("R")


def store_boundary(name: str) -> Callable[[StoreT], StoreT]:
    """Return a decorator of a store's class: its public methods raise errors of stores alone.

    Expired credentials, an answer without an expected field, a library's own error: a caller that
    handles an outage must not know which client the store has.

    Args:
        name: The store, for the message of an error.
    """

    def decorate(store: StoreT) -> StoreT:
        for method, function in list(vars(store).items()):
            if inspect.isfunction(function) and not method.startswith("_"):
                setattr(store, method, _bounded(function, f"{name} could not {method}"))
        return store

    return decorate


def _bounded(function: Callable[P, R], what: str) -> Callable[P, R]:
    @functools.wraps(function)
    def bounded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except OntimeError:
            raise
        except Exception as error:
            raise StoreError(
                f"{what} ({type(error).__name__}: {error}). Check the credentials, the network and "
                "the state of the service."
            ) from error

    return bounded
