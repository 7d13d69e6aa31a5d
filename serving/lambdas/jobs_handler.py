"""The function behind the queue of asynchronous predictions: works on batches of job ids."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from serving.lambdas.function import function_service, lambda_handler, partial_batch_response
from serving.schema.problems import NotReadyError
from serving.stores.errors import StoreError
from serving.telemetry.logs import log

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
        """Work on the jobs of one batch; those that fail are delivered again."""
        self._service.refresh_when_due()
        return partial_batch_response(
            record["messageId"] for record in event["Records"] if not self._done(record["body"])
        )

    def _done(self, job_id: str) -> bool:
        try:
            return self._service.jobs.process(job_id)
        except (StoreError, NotReadyError) as error:
            log(logging.ERROR, "jobs_failed", reason=str(error))
        except Exception as error:  # noqa: BLE001 - the other jobs are not at fault
            log(logging.ERROR, "jobs_failed", error=error)
        return False


handler = lambda_handler(lambda: JobsAdapter(function_service()))
