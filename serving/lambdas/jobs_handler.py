"""The function behind the queue of asynchronous predictions: ids in, what must come again out.

Configured as `serving.lambdas.api_handler`. The event source has to report partial failures
(`ReportBatchItemFailures`).
"""

from __future__ import annotations

import functools
import logging
import sys
from typing import TYPE_CHECKING, Any

from serving.lambdas.api_handler import function_home, function_options
from serving.schema.problems import NotReadyError
from serving.service.prediction_service import open_service
from serving.stores.errors import StoreError
from serving.telemetry.logs import log, write_logs_to

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.service.prediction_service import PredictionService


class JobsAdapter:
    """Works on batches of jobs.

    Args:
        service: Makes the predictions.
    """

    def __init__(self, service: PredictionService) -> None:
        self._service = service

    def __call__(self, event: Mapping[str, Any], _context: object) -> dict[str, Any]:
        """Work on the jobs of one batch; name the messages that must come again."""
        self._service.refresh_when_due()
        failed = [
            {"itemIdentifier": record["messageId"]}
            for record in event["Records"]
            if not self._done(record["body"])
        ]
        return {"batchItemFailures": failed}

    def _done(self, job_id: str) -> bool:
        try:
            return self._service.jobs.process(job_id)
        except (StoreError, NotReadyError) as error:
            log(logging.ERROR, "jobs_failed", reason=str(error))
            return False


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Work on one batch; the name that the function is configured with."""
    return _adapter()(event, context)


@functools.cache
def _adapter() -> JobsAdapter:
    write_logs_to(sys.stdout)
    return JobsAdapter(open_service(function_options(), function_home()))
