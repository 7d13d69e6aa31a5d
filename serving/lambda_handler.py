"""The Lambda adapter: API Gateway's proxy events in, its answers out, by the same API.

Configured by the environment: `ONTIME_HOME`, where the stores are, and `ONTIME_SERVING`, the
serving options as JSON.
"""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from features.errors import OntimeError
from serving.api import Api
from serving.lambda_events import request_of, response_of
from serving.logs import write_logs_to
from serving.options import ServingOptions
from serving.service import open_service

if TYPE_CHECKING:
    from collections.abc import Mapping

OPTIONS_VARIABLE: Final = "ONTIME_SERVING"
HOME_VARIABLE: Final = "ONTIME_HOME"
_HOME: Final = "/tmp/ontime"  # noqa: S108 - the one folder that a function may write to


class LambdaOptionsError(OntimeError):
    """The environment of the function holds options that cannot be read."""


class LambdaAdapter:
    """Answers proxy events.

    Args:
        api: Answers.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    def __call__(self, event: Mapping[str, Any], _context: object) -> dict[str, Any]:
        """Answer one event; nothing runs between events, so releases are looked at here."""
        self._api.service.refresh_when_due()
        request = request_of(event)
        return response_of(self._api.answer(request), request)


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer one event; the name that the function is configured with."""
    return _adapter()(event, context)


@functools.cache
def _adapter() -> LambdaAdapter:
    write_logs_to(sys.stdout)
    return LambdaAdapter(Api(open_service(function_options(), function_home())))


def function_home() -> Path:
    """Return the folder that the embedded stores of a function are in."""
    return Path(os.environ.get(HOME_VARIABLE, _HOME))


def function_options() -> ServingOptions:
    """Return the options in the environment of a function.

    Raises:
        LambdaOptionsError: They cannot be read.
    """
    given = os.environ.get(OPTIONS_VARIABLE, "{}")
    try:
        options = msgspec.json.decode(given, type=ServingOptions)
    except msgspec.MsgspecError as error:
        raise LambdaOptionsError(
            f"{OPTIONS_VARIABLE} cannot be read ({error}): set it to the serving options as JSON."
        ) from error
    if options.stores.fallback == "spool":  # this disk goes when the function does
        stores = msgspec.structs.replace(options.stores, fallback="none")
        options = msgspec.structs.replace(options, stores=stores)
    return options
