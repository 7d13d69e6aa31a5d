"""The function behind the queue of events: batches of SQS in, what must come again out.

Configured as `serving.lambdas.api_handler`. The event source has to report partial failures
(`ReportBatchItemFailures`).
"""

from __future__ import annotations

import functools
import logging
import sys
from typing import TYPE_CHECKING, Any

from features.online.item_bytes import ItemError
from serving.lambdas.api_handler import function_home, function_options
from serving.schema.problems import NotReadyError
from serving.service.prediction_service import open_service
from serving.stores.errors import StoreError
from serving.telemetry.logs import log, write_logs_to

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.service.prediction_service import PredictionService


class EventsAdapter:
    """Applies batches of messages to the online state.

    Args:
        service: Knows the state and the airports.
    """

    def __init__(self, service: PredictionService) -> None:
        self._service = service

    def __call__(self, event: Mapping[str, Any], _context: object) -> dict[str, Any]:
        """Apply the messages of one batch; name those that must come again."""
        self._service.refresh_when_due()
        records = event["Records"]
        try:
            self._service.events.apply([record["body"] for record in records])
        except (StoreError, NotReadyError, ItemError) as error:
            log(logging.ERROR, "events_failed", reason=str(error))
            failed = [{"itemIdentifier": record["messageId"]} for record in records]
            return {"batchItemFailures": failed}
        return {"batchItemFailures": []}


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Apply one batch; the name that the function is configured with."""
    return _adapter()(event, context)


@functools.cache
def _adapter() -> EventsAdapter:
    write_logs_to(sys.stdout)
    return EventsAdapter(open_service(function_options(), function_home()))
