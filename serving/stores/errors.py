"""The errors of stores."""

from __future__ import annotations

from ontime_base.errors import OntimeError


class StoreError(OntimeError):
    """A store cannot be used: it is not there, is full, or is damaged."""


class InvalidKeyError(StoreError):
    """A key is not a plain relative name such as `models/ontime/3/model.onnx`."""


class ObjectNotFoundError(StoreError):
    """The artifact store holds nothing under this key."""


class ObjectExistsError(StoreError):
    """The key is taken, and objects that are only created are never overwritten."""


class ConflictError(StoreError):
    """Another writer replaced the object since it was read."""


class InvalidCursorError(StoreError):
    """A cursor was not issued by the prediction history."""


class ItemRefusedError(StoreError):
    """The store works and refuses this one item: others may be taken."""


class ItemTooLargeError(ItemRefusedError):
    """An item is larger than the store takes."""


class QueueFullError(ItemRefusedError):
    """A queue has as many messages as it may have."""


class KeyReusedError(StoreError):
    """An idempotency key came back with another request."""


class InProgressError(StoreError):
    """The first request with this idempotency key is still being answered."""


def is_outage(error: Exception) -> bool:
    """Return whether an error means that the store is down, whatever the item is."""
    return isinstance(error, StoreError) and not isinstance(
        error, (ItemRefusedError, ConflictError)
    )
