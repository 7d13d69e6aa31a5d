"""Whatever the client of a store raises becomes the store's error."""

from __future__ import annotations

import pytest

from serving.stores.boundary import store_boundary
from serving.stores.errors import ItemTooLargeError, StoreError, is_outage


@store_boundary("The store of the test")
class Store:
    """A store whose client raises what it is given."""

    def get(self, error: Exception) -> None:
        """Raise the error."""
        raise error

    def answer(self) -> int:
        """Return a number."""
        return self._own()

    def _own(self) -> int:
        return 1


@pytest.mark.parametrize("error", [KeyError("Attributes"), RuntimeError("expired"), OSError("no")])
def test_an_error_of_a_client_is_an_outage_of_the_store(error: Exception) -> None:
    with pytest.raises(StoreError, match="The store of the test could not get") as found:
        Store().get(error)
    assert found.value.__cause__ is error
    assert is_outage(found.value)


def test_an_error_of_the_store_and_a_result_pass() -> None:
    with pytest.raises(ItemTooLargeError, match="as it was"):
        Store().get(ItemTooLargeError("as it was"))
    assert Store().answer() == 1
    assert Store.get.__doc__ == "Raise the error."
