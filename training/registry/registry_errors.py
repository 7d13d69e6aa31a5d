"""Errors of the model registry, and the conversion of MLflow's errors to them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ontime_base.errors import OntimeError

if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_THERE: Final = "RESOURCE_DOES_NOT_EXIST"
THERE_ALREADY: Final = "RESOURCE_ALREADY_EXISTS"


class RegistryError(OntimeError):
    """The registry has no such version, alias or run."""


class RegistryUnusableError(RegistryError):
    """The registry cannot be reached, or refuses the request."""


@contextmanager
def explained(registry: str) -> Iterator[None]:
    """Convert whatever MLflow raises to RegistryUnusableError, except not-found and already-exists.

    Args:
        registry: The address of the registry.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - takes seconds

    try:
        yield
    except MlflowException as error:
        if error.error_code in {NOT_THERE, THERE_ALREADY}:
            raise
        raise _unusable(registry, error) from error
    except OntimeError:
        raise
    except Exception as error:  # a file that is no database, credentials, a proxy: of any library
        raise _unusable(registry, error) from error


def _unusable(registry: str, error: Exception) -> RegistryUnusableError:
    first = next(iter(str(error).splitlines()), type(error).__name__)
    return RegistryUnusableError(
        f"The registry {registry} did not complete the request ({first}). Check that it can be "
        "reached, that the credentials may use it, and training.registry_uri in conf/."
    )
