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


class ItemTooLargeError(StoreError):
    """An item is larger than the store takes."""


class KeyReusedError(StoreError):
    """An idempotency key came back with another request."""


class InProgressError(StoreError):
    """The first request with this idempotency key is still being answered."""
