"""The API with clock and ids fixed: equal requests in equal order get equal bytes."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.http.api import Api
from serving.lambdas.api_handler import LambdaAdapter
from serving.service.prediction_service import open_service
from tests.serving.support import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from serving.settings import ServingSettings

AT_MS = 1_388_480_400_123
HOME_VARIABLE = "ONTIME_HOME"
_adapters: list[LambdaAdapter] = []


def counted(prefix: str) -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"{prefix}{next(numbers)}"


def a_fixed_api(home: Path, options: ServingSettings = SETTINGS) -> Api:
    service = open_service(options, home, clock=lambda: AT_MS, new_id=counted("prediction-"))
    service.refresh()
    return Api(service, new_id=counted("request-"))


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer as `serving.lambdas.api_handler.handler` does, with clock and ids fixed."""
    if not _adapters:
        _adapters.append(LambdaAdapter(a_fixed_api(Path(os.environ[HOME_VARIABLE]))))
    return _adapters[0](event, context)
