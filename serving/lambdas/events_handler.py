"""The function behind the event queue: applies batches of SQS messages to the online state."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from features.online.item_bytes import ItemError
from serving.lambdas.function import function_service, lambda_handler, partial_batch_response
from serving.schema.problems import NotReadyError
from serving.stores.errors import StoreError
from serving.telemetry.logs import log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.service.prediction_service import PredictionService


class EventsAdapter:
    """Applies batches of messages to the online state.

    Args:
        service: Holds the state and the airports.
    """

    def __init__(self, service: PredictionService) -> None:
        self._service = service

    def __call__(self, event: Mapping[str, Any], _context: object) -> dict[str, Any]:
        """Apply the messages of one batch; all of them are delivered again if it fails."""
        self._service.refresh_when_due()
        records = event["Records"]
        try:
            self._service.events.apply([record["body"] for record in records])
        except (StoreError, NotReadyError, ItemError) as error:
            log(logging.ERROR, "events_failed", reason=str(error))
            return partial_batch_response(record["messageId"] for record in records)
        return partial_batch_response([])


handler = lambda_handler(lambda: EventsAdapter(function_service()))
