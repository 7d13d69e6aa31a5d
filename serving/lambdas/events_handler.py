"""The function behind the event queue: applies batches of SQS messages to the online state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.lambdas.function import function_service, lambda_handler, partial_batch_response

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
        """Apply the messages of one batch; those that fail are delivered again."""
        self._service.refresh_when_due()
        records = event["Records"]
        failures = self._service.events.apply_each([record["body"] for record in records])
        return partial_batch_response(records[place]["messageId"] for place in sorted(failures))


handler = lambda_handler(lambda: EventsAdapter(function_service()))
