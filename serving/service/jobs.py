"""Asynchronous predictions: accepted once durable, processed by a worker, read by their id."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from serving.schema.problems import (
    NotReadyError,
    Problem,
    ProblemError,
    StoreUnavailableError,
    UnknownJobError,
    too_many_queued,
)
from serving.schema.responses import JobAnswer, PredictionAnswer
from serving.stores.errors import QueueFullError, StoreError, is_outage
from serving.stores.jobs.protocol import FINISHED
from serving.telemetry.logs import log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serving.inference.predictor import Predictor
    from serving.stores.history.protocol import PredictionRecord
    from serving.stores.jobs.protocol import JobStore
    from serving.stores.queue.bounded import BoundedQueue
    from serving.stores.queue.protocol import Message
    from serving.telemetry.metrics import Metrics

CLAIM_SECONDS: Final = 30
_PAUSE_SECONDS: Final = 1.0
_MOST_TRIES: Final = 3
_MS_PER_HOUR: Final = 3_600_000


class Jobs:
    """Asynchronous predictions over a job store and a queue; may be used by several threads.

    Args:
        predictor: Makes predictions.
        append: Appends records to the prediction history.
        ready: Raises unless predictions can be made and stored.
        store: Holds jobs and their results.
        queue: Delivers job ids to workers.
        hours: How long a result is stored.
        metrics: Counts.
    """

    def __init__(
        self,
        predictor: Predictor,
        append: Callable[[Sequence[PredictionRecord]], None],
        *,
        ready: Callable[[], object],
        store: JobStore,
        queue: BoundedQueue,
        hours: float,
        metrics: Metrics,
    ) -> None:
        self._predictor = predictor
        self._append = append
        self._ready = ready
        self._store = store
        self._queue = queue
        self._hours = hours
        self._metrics = metrics

    def submit(self, body: bytes) -> JobAnswer:
        """Accept a request; it is durable when this returns.

        Raises:
            ProblemError: The request is not valid, or a store cannot be used.
        """
        now = self._predictor.clock()
        self._predictor.validate(body)
        job_id = self._predictor.new_id()
        try:
            expires = now + int(self._hours * _MS_PER_HOUR)
            self._queue.reserve(1)
            self._store.submit(job_id, body, at_ms=now, expires_at_ms=expires)
            self._queue.send_reserved([job_id])
        except QueueFullError as error:
            self._metrics.count("shed_total", reason="jobs_waiting")
            raise too_many_queued(error) from error
        except StoreError as error:
            raise StoreUnavailableError(f"The request was not accepted. {error}") from error
        return JobAnswer(job_id, "pending", None, None)

    def find(self, job_id: str) -> JobAnswer:
        """Return the state of a job.

        Raises:
            UnknownJobError: There is none of this id.
            StoreUnavailableError: The store cannot be read.
        """
        try:
            job = self._store.get(job_id)
        except StoreError as error:
            raise StoreUnavailableError(str(error)) from error
        if job is None or job.expires_at_ms <= self._predictor.clock():
            raise UnknownJobError(
                f"No asynchronous prediction has the id '{job_id}': results are stored for "
                f"{self._hours:g} hours; send the request again."
            )
        if job.state == "done" and job.result is not None:
            answer = msgspec.json.decode(job.result, type=PredictionAnswer)
            return JobAnswer(job_id, "done", answer, None)
        if job.state == "failed" and job.result is not None:
            return JobAnswer(job_id, "failed", None, msgspec.json.decode(job.result, type=Problem))
        return JobAnswer(job_id, "pending", None, None)

    def process(self, job_id: str) -> bool:
        """Make the prediction of a job; return whether its message can be deleted.

        The prediction has the id of the job: processed twice, it is in the history once.

        Raises:
            StoreError: A store cannot be used; the job stays pending.
        """
        now = self._predictor.clock()
        job = self._store.claim(job_id, at_ms=now, until_ms=now + CLAIM_SECONDS * 1000)
        if job is None:
            found = self._store.get(job_id)
            return found is None or found.state in FINISHED
        try:
            prediction = self._predictor.predict(job.request, prediction_id=job_id)
            self._append([prediction.record])
        except ProblemError as error:
            if error.status >= ProblemError.status:
                raise StoreError(str(error)) from error  # redelivered
            self._store.fail(job_id, error.to_json(job_id))
            self._metrics.count("jobs_total", state="failed")
        else:
            self._store.complete(job_id, prediction.answer)
            self._metrics.count("jobs_total", state="done")
        return True

    def process_messages(self, *, wait_seconds: float) -> int:
        """Receive and process messages; return how many were received.

        A job that fails is redelivered, and does not keep the others.

        Raises:
            StoreError: A store cannot be used; unfinished messages are redelivered.
        """
        messages = self._queue.receive(hidden_seconds=2 * CLAIM_SECONDS, wait_seconds=wait_seconds)
        for message in messages:
            try:
                processed = self.process(message.body)
            except Exception as error:
                if is_outage(error):
                    raise
                log(logging.ERROR, "job_failed", error=error, job_id=message.body)
                processed = self._given_up(message)
            if processed:
                self._queue.delete([message])
        return len(messages)

    def _given_up(self, message: Message) -> bool:
        """Fail a job that has failed unexpectedly several times; return whether it did."""
        if message.receives < _MOST_TRIES:
            return False
        problem = ProblemError(
            "The prediction failed unexpectedly each time: the cause is in the log of the service "
            "under job_failed and this id."
        )
        self._store.fail(message.body, problem.to_json(message.body))
        self._metrics.count("jobs_total", state="failed")
        return True

    def check(self) -> None:
        """Raise unless a prediction could be made and stored.

        Raises:
            StoreError: A store cannot be used.
            NotReadyError: No model or network is loaded.
        """
        self._ready()
        self._store.get("")
        self._queue.depth()

    def delete_expired(self) -> None:
        """Delete jobs whose results have expired."""
        self._store.delete_expired(expired_at_ms=self._predictor.clock())


class QueueConsumer(Protocol):
    """Processes the messages of a queue."""

    def check(self) -> None:
        """Raise what `process_messages` would raise while a store is down."""

    def process_messages(self, *, wait_seconds: float) -> int:
        """Receive and process messages; return how many were received."""


class QueueWorker:
    """Processes a queue in a background thread.

    While a store is down it receives nothing: a message that is received too often would become a
    dead letter, whatever it says.

    Args:
        consumer: Processes the messages: jobs, or events.
        name: Prefix of its log events.
    """

    def __init__(self, consumer: QueueConsumer, *, name: str = "jobs") -> None:
        self._consumer = consumer
        self._name = name
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the current messages, then stop."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        down = False
        while not self._stopping.is_set():
            try:
                if down:
                    self._consumer.check()
                down = False
                self._consumer.process_messages(wait_seconds=_PAUSE_SECONDS)
            except (StoreError, NotReadyError) as error:
                if not down:
                    log(logging.ERROR, f"{self._name}_failed", reason=str(error))
                down = True
                self._stopping.wait(_PAUSE_SECONDS)
            except Exception as error:  # noqa: BLE001 - one job must not stop the worker
                log(logging.ERROR, f"{self._name}_failed", error=error)
                self._stopping.wait(_PAUSE_SECONDS)
