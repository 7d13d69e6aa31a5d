"""Shared code of the Lambda functions: settings, lazy initialization, partial batch responses.

A function is configured by the environment: `ONTIME_HOME`, the folder of the embedded stores,
`ONTIME_SERVING`, the serving settings as JSON, and `ONTIME_API_KEYS`, further API keys. What is not
set has the value of conf/base.yaml: callers need a key.
"""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from ontime_base.errors import OntimeError
from serving.service.prediction_service import open_service
from serving.settings import ServingSettings, with_environment_keys
from serving.telemetry.logs import write_logs_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from serving.service.prediction_service import PredictionService

SETTINGS_VARIABLE: Final = "ONTIME_SERVING"
HOME_VARIABLE: Final = "ONTIME_HOME"
_HOME: Final = "/tmp/ontime"  # noqa: S108 - the one folder that a function may write to


class FunctionSettingsError(OntimeError):
    """The environment of the function holds settings that cannot be read."""


class Handler(Protocol):
    """Answers the events of a function."""

    def __call__(self, event: Mapping[str, Any], context: object, /) -> dict[str, Any]:
        """Answer one event."""


def lambda_handler(make: Callable[[], Handler]) -> Handler:
    """Return a handler that is made at the first event: importing its module opens no store."""

    @functools.cache
    def made() -> Handler:
        write_logs_to(sys.stdout)
        return make()

    def handle(event: Mapping[str, Any], context: object, /) -> dict[str, Any]:
        return made()(event, context)

    return handle


def partial_batch_response(failed: Iterable[str]) -> dict[str, Any]:
    """Return the response to a batch of SQS that has the given messages delivered again.

    The event source has to report partial failures (`ReportBatchItemFailures`).

    Args:
        failed: `messageId` of each message that failed.
    """
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}


def function_service() -> PredictionService:
    """Return the service that the environment of a function configures."""
    return open_service(function_settings(), function_home())


def function_home() -> Path:
    """Return the folder of a function's embedded stores."""
    return Path(os.environ.get(HOME_VARIABLE, _HOME))


def function_settings() -> ServingSettings:
    """Return the settings in the environment of a function.

    Raises:
        FunctionSettingsError: They cannot be read.
        ConfError: `ONTIME_API_KEYS` cannot be read.
    """
    given = os.environ.get(SETTINGS_VARIABLE, "{}")
    try:
        settings = msgspec.json.decode(given, type=ServingSettings)
    except msgspec.MsgspecError as error:
        raise FunctionSettingsError(
            f"{SETTINGS_VARIABLE} cannot be read ({error}): set it to the serving settings as JSON."
        ) from error
    if settings.stores.fallback == "spool":  # the disk of a function does not outlive it
        stores = msgspec.structs.replace(settings.stores, fallback="none")
        settings = msgspec.structs.replace(settings, stores=stores)
    return with_environment_keys(settings)
