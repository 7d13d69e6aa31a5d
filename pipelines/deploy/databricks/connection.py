"""The client of a workspace, and its errors as one clear sentence."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import (
    InternalError,
    PermissionDenied,
    TemporarilyUnavailable,
    TooManyRequests,
    Unauthenticated,
)
from databricks.sdk.errors.base import DatabricksError

from ontime_base.errors import OntimeError

if TYPE_CHECKING:
    from collections.abc import Iterator

TRANSIENT: Final = (InternalError, TemporarilyUnavailable, TooManyRequests)
"""Errors that a retry may not meet again."""


class WorkspaceError(OntimeError):
    """The workspace refused a call, or could not be reached."""


def connect(*, timeout_s: float = 300) -> WorkspaceClient:
    """Return a client of the workspace that the environment or a profile names.

    Args:
        timeout_s: For how long a call is retried while the workspace is busy or unreachable.

    Raises:
        WorkspaceError: Neither names one.
    """
    try:
        config = Config(
            retry_timeout_seconds=int(timeout_s), product="ontime", product_version="0.1.0"
        )
    except ValueError as error:
        raise WorkspaceError(
            f"No workspace is configured ({str(error).splitlines()[0]}): set DATABRICKS_HOST and "
            "DATABRICKS_TOKEN, or DATABRICKS_CONFIG_PROFILE."
        ) from error
    return WorkspaceClient(config=config)


@contextmanager
def sentences() -> Iterator[None]:
    """Turn errors of the SDK into sentences; transient ones are left to the caller."""
    try:
        yield
    except TRANSIENT:
        raise
    except DatabricksError as error:
        raise explained(error) from error
    except TimeoutError as error:
        raise WorkspaceError(
            f"The workspace stayed busy or out of reach ({error}): submit again later; what has "
            "been done already is not done twice."
        ) from error


def explained(error: DatabricksError) -> WorkspaceError:
    """Return the error with what to do about it."""
    if isinstance(error, Unauthenticated):
        return WorkspaceError(
            f"The workspace does not accept our token, which may have expired ({error}): make a "
            "new one, set DATABRICKS_TOKEN, and submit again."
        )
    if isinstance(error, PermissionDenied):
        return WorkspaceError(
            f"The workspace does not allow this ({error}): ask for the permission, or submit as "
            "someone who has it."
        )
    return WorkspaceError(f"The workspace refused: {error}")
