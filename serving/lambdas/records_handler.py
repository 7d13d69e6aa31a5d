"""The function behind the fallback queue: appends queued prediction records to the history.

A message that the history rejects is redelivered; after as many deliveries as the queue allows it
is moved to the dead-letter queue, from which it can be sent again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import msgspec

from serving.history.record_lines import decode_record
from serving.lambdas.function import (
    function_home,
    function_settings,
    lambda_handler,
    partial_batch_response,
)
from serving.stores.isolation import apply_isolated
from serving.stores.opening import open_history
from serving.telemetry.logs import log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.stores.history.protocol import PredictionRecord, PredictionSink


class RecordsAdapter:
    """Appends batches of predictions to the history.

    Args:
        history: The history itself, without the queue in front of it.
    """

    def __init__(self, history: PredictionSink) -> None:
        self._history = history

    def __call__(self, event: Mapping[str, Any], _context: object) -> dict[str, Any]:
        """Append one batch; messages that fail are delivered again."""
        failed: list[str] = []
        waiting: list[tuple[str, PredictionRecord]] = []
        for message in event["Records"]:
            try:
                waiting.append((message["messageId"], decode_record(message["body"])))
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                log(logging.ERROR, "record_unreadable", reason=str(error))
                failed.append(message["messageId"])
        failures = apply_isolated([record for _, record in waiting], self._history.append)
        for failure in {id(each): each for each in failures.values()}.values():
            log(logging.ERROR, "history_down", reason=str(failure))
        return partial_batch_response([*failed, *(waiting[place][0] for place in failures)])


handler = lambda_handler(
    lambda: RecordsAdapter(open_history(function_settings().stores, function_home()))
)
