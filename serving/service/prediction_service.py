"""The prediction service: every use case over the stores, without HTTP."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

import msgspec

from serving.history.retention import Retention
from serving.inference.grounds import Grounds, OnlineSpan
from serving.inference.predictor import Batch, Prediction, Predictor, RawRequest
from serving.inference.shadow_scoring import ShadowScorer
from serving.models.model_status import model_status
from serving.models.release_follower import ReleaseFollower
from serving.models.traffic_split import CHALLENGER, CHAMPION, Alias
from serving.online.event_intake import EventIntake
from serving.online.network import Network, NetworkError, read_network
from serving.online.online_state import OnlineState, newest_event
from serving.schema.clock import new_prediction_id, now_ms
from serving.schema.problems import (
    HistoryUnavailableError,
    NotReadyError,
    ProblemError,
    UnknownModelError,
    not_kept,
)
from serving.schema.requests import parse_load
from serving.schema.responses import HealthAnswer
from serving.service.assembly import Stores, open_stores
from serving.service.gauges import gauges
from serving.service.idempotency import Idempotency
from serving.service.jobs import Jobs
from serving.service.pagination import history_page
from serving.stores.errors import StoreError
from serving.stores.queue.bounded import BoundedQueue
from serving.telemetry.logs import log
from serving.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from serving.settings import ServingSettings
    from serving.stores.history.protocol import PredictionRecord

ALIASES: Final[Mapping[str, Alias]] = {
    "champion": CHAMPION,
    "Production": CHAMPION,
    "challenger": CHALLENGER,
    "Staging": CHALLENGER,
}


class PredictionService:
    """The use cases; may be used by several threads.

    Args:
        options: How requests are answered.
        stores: What is read and written.
        clock: Milliseconds since the epoch.
        new_id: Makes prediction ids.
    """

    def __init__(
        self,
        options: ServingSettings,
        stores: Stores,
        *,
        clock: Callable[[], int] = now_ms,
        new_id: Callable[[], str] = new_prediction_id,
    ) -> None:
        self.options = options
        self.history = stores.history
        self.metrics = Metrics()
        self._online = stores.online
        self._network: Network | None = None
        self._network_fault: str | None = None
        self._online_span = OnlineSpan()
        self._due_at = 0.0
        most = options.stores.most_queued
        self._queues = {
            "jobs": BoundedQueue(stores.queue, most=most),
            "events": BoundedQueue(stores.events, most=most),
        }
        days = options.stores.retention_days
        self._retention = Retention(stores.history, days=days, clock=clock)
        self._follower = ReleaseFollower(
            stores.artifacts, options.model_name, load_any=options.load_any
        )
        self._predictor = Predictor(
            split=self._follower.split,
            network=self._known_network,
            online=stores.online,
            allow_as_of=options.allow_as_of,
            clock=clock,
            new_id=new_id,
            metrics=self.metrics,
            grounds=Grounds(options.stale_min, options.outside_days, lambda: self._online_span),
        )
        self.shadows = ShadowScorer(self._predictor, self.append_records, self.metrics)
        self.jobs = Jobs(
            self._predictor,
            self.append_records,
            ready=self.ready,
            store=stores.jobs,
            queue=self._queues["jobs"],
            hours=options.job_hours,
            metrics=self.metrics,
        )
        self.events = EventIntake(
            self._queues["events"],
            OnlineState(stores.state, clock=clock),
            self._known_network,
            metrics=self.metrics,
            clock=clock,
        )
        self.idempotency = Idempotency(
            stores.idempotency, hours=options.idempotency_hours, clock=clock
        )

    def refresh(self) -> None:
        """Load a new release and a new network, if there are any; logs failures.

        To be called every `follow_seconds`, in the background.
        """
        self._follower.refresh()
        try:
            self._network = read_network(self._online)
            self._network_fault = None
            self._online_span = OnlineSpan(
                self._network.covered_from or None, newest_event(self._online) or None
            )
        except (NetworkError, StoreError) as error:
            if str(error) != self._network_fault:
                log(logging.ERROR, "network_failed", reason=str(error))
            self._network_fault = str(error)

    def refresh_when_due(self) -> None:
        """Refresh unless it was done less than `follow_seconds` ago."""
        now = time.monotonic()
        if now >= self._due_at:
            self._due_at = now + self.options.follow_seconds
            self.refresh()

    def tidy(self) -> None:
        """Delete expired predictions, jobs and keys; logs failures."""
        self._retention.apply_when_due()
        try:
            self.jobs.delete_expired()
            self.idempotency.delete_expired()
        except StoreError as error:
            log(logging.WARNING, "tidying_failed", reason=str(error))

    def predict(self, body: bytes, *, explain: bool = False) -> Prediction:
        """Return the prediction for a request; append it to the history before it is sent.

        Raises:
            ProblemError: See `Predictor.predict`.
        """
        return self._predictor.predict(body, explain=explain)

    def predict_many(self, bodies: Sequence[bytes]) -> list[Prediction | ProblemError]:
        """Return for each body what `predict` returns, or the problem that it raises."""
        return self._predictor.predict_many([RawRequest(body) for body in bodies])

    def predict_batch(self, body: bytes, *, request_id: str) -> Batch:
        """Return the predictions for a batch; append them to the history before they are sent.

        Raises:
            ProblemError: See `Predictor.predict_batch`.
        """
        return self._predictor.predict_batch(
            body, max_flights=self.options.batch_max, request_id=request_id
        )

    def append_records(self, records: Sequence[PredictionRecord]) -> None:
        """Append predictions to the history; durable when it returns.

        Raises:
            HistoryUnavailableError: They could not be stored.
        """
        try:
            self.history.append(records)
        except StoreError as error:
            raise not_kept(error) from error

    def load(self, body: bytes) -> bytes:
        """Switch this server to the version or alias in the body; return the models that answer.

        Raises:
            ProblemError: The body is not valid, or there is no such version, or it is refused.
        """
        request = parse_load(body)
        if isinstance(request.version, str):
            self._follower.pin(request.version)
        else:
            self._follower.follow(ALIASES.get(str(request.alias), CHAMPION))
        return self.model()

    def model(self) -> bytes:
        """Return the models that answer.

        Raises:
            NotReadyError: There is none.
        """
        span = self._online_span
        return msgspec.json.encode(model_status(self._follower, since=span.since, until=span.until))

    def card(self, alias: str | None) -> bytes:
        """Return the model card of the primary model or of the challenger.

        Raises:
            NotReadyError: No model answers.
            UnknownModelError: No model has the alias.
        """
        split = self._follower.split()
        if alias is None or ALIASES.get(alias) == (split.primary.alias or CHAMPION):
            return split.primary.model.card
        if ALIASES.get(alias) == CHALLENGER and split.challenger is not None:
            return split.challenger.model.card
        raise UnknownModelError(
            f"No model answers here as '{alias[:20]}': GET /model lists those that do."
        )

    def history_page(self, query: Mapping[str, str]) -> bytes:
        """Return a page of the prediction history; see `pagination.history_page`."""
        return history_page(self.history, self.options, query)

    def health(self) -> bytes:
        """Return that the process is alive."""
        return msgspec.json.encode(HealthAnswer("ok"))

    def ready(self) -> bytes:
        """Return the models that answer, if predictions can be made and stored.

        Raises:
            ProblemError: Names the missing part.
        """
        self._known_network()
        try:
            self.history.check()
        except StoreError as error:
            raise HistoryUnavailableError(str(error)) from error
        return self.model()

    def metrics_text(self) -> bytes:
        """Return all metrics: counters and gauges."""
        return self.metrics.text(gauges(self._follower, self.history, self._queues))

    def _known_network(self) -> Network:
        if self._network is None:
            raise NotReadyError(self._network_fault or "The service has just started: try again.")
        return self._network


def open_service(
    options: ServingSettings,
    home: Path,
    *,
    clock: Callable[[], int] = now_ms,
    new_id: Callable[[], str] = new_prediction_id,
) -> PredictionService:
    """Return the service over its stores.

    Args:
        options: How requests are answered, and which stores are used.
        home: The folder of those that are embedded.
        clock: Milliseconds since the epoch.
        new_id: Makes prediction ids.

    Raises:
        StoreError: A store cannot be opened.
    """
    return PredictionService(options, open_stores(options, home), clock=clock, new_id=new_id)
