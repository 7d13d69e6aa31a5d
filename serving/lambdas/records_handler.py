"""The function behind the queue of predictions that the history did not take when they were given.

Configured as `serving.lambdas.api_handler`. The event source has to report partial failures
(`ReportBatchItemFailures`). What the history still does not take comes again, and after as many
times as the queue allows it lies in the dead letters, from where it can be sent again.
"""

from __future__ import annotations

import functools
import logging
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from serving.history.record_lines import decode_record
from serving.lambdas.api_handler import function_home, function_options
from serving.stores.errors import StoreError
from serving.stores.history.protocol import PredictionRecord
from serving.stores.opening import open_history
from serving.telemetry.logs import log, write_logs_to

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.stores.history.protocol import PredictionSink


class RecordsAdapter:
    """Hands batches of predictions over to the history.

    Args:
        history: The history itself, without the queue in front of it.
    """

    def __init__(self, history: PredictionSink) -> None:
        self._history = history

    def __call__(self, event: Mapping[str, Any], _context: object) -> dict[str, Any]:
        """Hand over one batch; name the messages that must come again."""
        failed, waiting = [], dict[str, PredictionRecord]()
        for message in event["Records"]:
            try:
                waiting[message["messageId"]] = decode_record(message["body"])
            except msgspec.MsgspecError as error:
                log(logging.ERROR, "record_unreadable", reason=str(error))
                failed.append(message["messageId"])
        try:
            self._history.append(list(waiting.values()))
        except StoreError as error:
            log(logging.ERROR, "history_down", reason=str(error))
            failed += waiting
        return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Hand over one batch; the name that the function is configured with."""
    return _adapter()(event, context)


@functools.cache
def _adapter() -> RecordsAdapter:
    write_logs_to(sys.stdout)
    return RecordsAdapter(open_history(function_options().stores, function_home()))
