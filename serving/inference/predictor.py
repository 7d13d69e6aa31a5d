"""Online inference: computes predictions for one request body, several, or a batch.

One algorithm serves all of them: validate, look up all features in one read of the online store,
score, and build the answer with its record. Nothing is stored here: callers append the record to
the prediction history before they send the answer. The same bodies, clock and ids give the same
bytes.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from features.online.lookup import lookup_of
from serving.inference.grounds import Grounds
from serving.inference.prediction_records import (
    FeatureRow,
    FlightRequest,
    answer_of,
    entry_of,
    to_answer,
    to_explained_answer,
    to_record,
)
from serving.online.flight_resolver import flight_problems, require_as_of, to_flight
from serving.schema.clock import MS_PER_MINUTE, new_prediction_id, now_ms
from serving.schema.field_problems import problems_of
from serving.schema.problems import (
    InvalidFlightError,
    InvalidRequestError,
    NotReadyError,
    ProblemError,
)
from serving.schema.requests import parse_batch, parse_prediction
from serving.schema.responses import BatchAnswer, BatchItem
from serving.stores.errors import StoreError
from serving.telemetry.logs import log
from serving.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from serving.models.traffic_split import ServedModel, TrafficSplit
    from serving.online.network import Network
    from serving.schema.problems import FieldProblem
    from serving.schema.requests import PredictionRequest
    from serving.schema.responses import HistoryEntry, WarningCode
    from serving.stores.history.protocol import PredictionRecord
    from serving.stores.online.protocol import OnlineItems

_MOST_LISTED: Final = 100
"""Problems of fields that the answer to a batch lists; then one of each invalid flight."""


class RawRequest(NamedTuple):
    """A request for one prediction, as received.

    Attributes:
        body: The request body.
        prediction_id: Id of the prediction; None: a new one.
        explain: Whether the answer includes the reasons.
    """

    body: bytes
    prediction_id: str | None = None
    explain: bool = False


@dataclass(frozen=True, slots=True)
class Shadow:
    """A prediction that the challenger scores as well, after the answer was sent.

    Attributes:
        served: The challenger.
        request: The flight.
        prediction_id: Id of the prediction that was answered.
    """

    served: ServedModel
    request: FlightRequest
    prediction_id: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """A prediction that is not stored yet.

    Attributes:
        answer: The answer, JSON.
        record: To append to the history before the answer is sent.
        shadow: To score after the answer is sent; None without a challenger in the shadow.
    """

    answer: bytes
    record: PredictionRecord
    shadow: Shadow | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """The predictions of a batch request that are not stored yet.

    Attributes:
        answer: The answer, JSON.
        records: To append to the history before the answer is sent.
        shadows: To score after the answer is sent.
    """

    answer: bytes
    records: Sequence[PredictionRecord]
    shadows: Sequence[Shadow]


class _Resolved(NamedTuple):
    """A valid request with the model that answers it."""

    served: ServedModel
    request: FlightRequest
    challenger: ServedModel | None


class _Scored(NamedTuple):
    """A request with its prediction."""

    served: ServedModel
    row: FeatureRow
    entry: HistoryEntry
    record: PredictionRecord
    shadow: Shadow | None


class Predictor:
    """Makes predictions.

    Args:
        split: Returns the models that answer, or raises `NotReadyError`.
        network: Returns the airports and routes, or raises `NotReadyError`.
        online: The online items.
        allow_as_of: Whether a request may set the instant of its features.
        clock: Milliseconds since the epoch.
        new_id: Generates prediction ids.
        metrics: Counts predictions.
        grounds: When a prediction has a warning.
    """

    def __init__(
        self,
        *,
        split: Callable[[], TrafficSplit],
        network: Callable[[], Network],
        online: OnlineItems,
        allow_as_of: bool = False,
        clock: Callable[[], int] = now_ms,
        new_id: Callable[[], str] = new_prediction_id,
        metrics: Metrics | None = None,
        grounds: Grounds | None = None,
    ) -> None:
        self.clock = clock
        self.new_id = new_id
        self._split = split
        self._network = network
        self._online = online
        self._allow_as_of = allow_as_of
        self._metrics = metrics or Metrics()
        self._grounds = grounds or Grounds()

    def validate(self, body: bytes) -> None:
        """Check a request without predicting.

        Raises:
            ProblemError: The request is not valid, or no network is loaded.
        """
        self._flight_request(self._parsed(body), self.clock())

    def predict(
        self, body: bytes, *, prediction_id: str | None = None, explain: bool = False
    ) -> Prediction:
        """Return the prediction for the flight in a request body.

        An item that the online store lacks or cannot return is a missing feature, not an error.

        Args:
            body: The request.
            prediction_id: Id of the prediction; by default a new one.
            explain: Whether the answer includes the reasons.

        Raises:
            ProblemError: The request is not valid, or no model or network is loaded.
        """
        (result,) = self.predict_many([RawRequest(body, prediction_id, explain)])
        if isinstance(result, ProblemError):
            raise result
        return result

    def predict_many(self, requests: Sequence[RawRequest]) -> list[Prediction | ProblemError]:
        """Return for each request what `predict` returns, or the problem that it raises.

        Rows are scored one by one: onnxruntime may give a row another last bit in a batch, and the
        answer to a request must not depend on the requests that happen to arrive with it.
        """
        results = self._scored(requests, vectorized=False)
        predictions: list[Prediction | ProblemError] = []
        for request, result in zip(requests, results, strict=True):
            if isinstance(result, ProblemError):
                predictions.append(result)
                continue
            answer = (
                to_explained_answer(
                    result.entry, result.served.model.explanation(result.row.values)
                )
                if request.explain
                else to_answer(result.entry)
            )
            predictions.append(Prediction(answer, result.record, result.shadow))
        self._count(results)
        return predictions

    def predict_batch(self, body: bytes, *, max_flights: int, request_id: str) -> Batch:
        """Return a prediction or a problem for each flight in a batch request.

        Each model scores its flights in one vectorized call. An invalid flight does not fail the
        batch: its item holds the problem.

        Args:
            body: The request.
            max_flights: The most flights in one request.
            request_id: Included in the problems.

        Raises:
            ProblemError: The request as a whole is not valid, or no model or network is loaded.
        """
        flights = parse_batch(body, most=max_flights)
        self._split()  # without a model the whole batch fails, whatever its flights are
        results = self._scored([RawRequest(bytes(flight)) for flight in flights], vectorized=True)
        items: list[BatchItem] = []
        scored: list[_Scored] = []
        listed = 0
        for result in results:
            if not isinstance(result, ProblemError):
                scored.append(result)
                items.append(BatchItem(answer_of(result.entry), None))
            elif result.status >= ProblemError.status:  # a fault of the service, not of the flight
                raise result
            else:
                details = result.details(request_id)
                if listed + len(details.errors) > _MOST_LISTED:
                    details = msgspec.structs.replace(details, errors=details.errors[:1])
                listed += len(details.errors)
                items.append(BatchItem(None, details))
        self._count(scored)
        return Batch(
            msgspec.json.encode(BatchAnswer(items, len(items) - len(scored))),
            [each.record for each in scored],
            [each.shadow for each in scored if each.shadow is not None],
        )

    def score_shadows(self, shadows: Sequence[Shadow]) -> list[PredictionRecord]:
        """Return the records of what the challenger predicts for flights that were answered."""
        pairs = [(shadow.served, shadow.request) for shadow in shadows]
        records = []
        for shadow, (row, probability) in zip(shadows, self._evaluated(pairs), strict=True):
            served, request, answered = shadow.served, shadow.request, shadow.prediction_id
            entry = entry_of(
                served,
                request,
                row,
                probability,
                self.new_id(),
                warnings=self._warnings(served, request, row),
                shadow_of=answered,
            )
            records.append(to_record(entry, request.requested_at))
            self._count_model(served, role="shadow")
        return records

    def _scored(
        self, requests: Sequence[RawRequest], *, vectorized: bool
    ) -> list[_Scored | ProblemError]:
        """Return the prediction of each request, or its problem."""
        resolved = self._resolved(requests)
        pairs = [(r.served, r.request) for r in resolved if not isinstance(r, ProblemError)]
        evaluated = iter(self._evaluated(pairs, vectorized=vectorized))
        results: list[_Scored | ProblemError] = []
        for raw, each in zip(requests, resolved, strict=True):
            if isinstance(each, ProblemError):
                results.append(each)
                continue
            served, request, challenger = each
            row, probability = next(evaluated)
            entry = entry_of(
                served,
                request,
                row,
                probability,
                raw.prediction_id or self.new_id(),
                warnings=self._warnings(served, request, row),
            )
            record = to_record(entry, request.requested_at)
            shadow = None
            if challenger is not None:
                shadow = Shadow(challenger, request, entry.prediction_id)
            results.append(_Scored(served, row, entry, record, shadow))
        return results

    def _resolved(self, requests: Iterable[RawRequest]) -> list[_Resolved | ProblemError]:
        """Validate each request and choose its model; all from one traffic split."""
        requested_at, split = self.clock(), None
        resolved: list[_Resolved | ProblemError] = []
        for raw in requests:
            try:
                parsed = self._parsed(raw.body)
                split = split or self._split()
                request = self._flight_request(parsed, requested_at)
            except ProblemError as error:
                resolved.append(error)
            else:
                served = split.answering(request.flight_id)
                resolved.append(_Resolved(served, request, split.shadow))
        return resolved

    def _evaluated(
        self, pairs: Sequence[tuple[ServedModel, FlightRequest]], *, vectorized: bool = False
    ) -> list[tuple[FeatureRow, float]]:
        """Return features and probability of each flight: one read of the store for all.

        Each step runs for all flights before the next one, so that its code and the model stay in
        the processor's caches.
        """
        lookups = [_Lookup(served, request) for served, request in pairs]
        keys = {key: None for lookup in lookups for key in lookup.keys}
        items = self._items(keys, requests=len(pairs))
        rows = [lookup.row(items) for lookup in lookups]
        if vectorized:
            by_model: dict[int, list[int]] = {}
            for place, (served, _) in enumerate(pairs):
                by_model.setdefault(id(served), []).append(place)
            groups = list(by_model.values())
        else:
            groups = [[place] for place in range(len(pairs))]
        scores = [0.0] * len(pairs)
        for places in groups:
            scorer = pairs[places[0]][0].model.scorer
            for place, score in zip(
                places, scorer.score([rows[place].values for place in places]), strict=True
            ):
                scores[place] = score
        return list(zip(rows, scores, strict=True))

    def _warnings(
        self, served: ServedModel, request: FlightRequest, row: FeatureRow
    ) -> tuple[WarningCode, ...]:
        return self._grounds.warnings(
            served.model,
            request.flight,
            as_of=row.as_of,
            missing=len(row.missing),
            newest=row.newest,
        )

    def _items(self, keys: Iterable[str], *, requests: int) -> dict[str, bytes]:
        """Return the items of some requests; none when the online store is down."""
        try:
            return self._online.get_many(keys)
        except StoreError as error:
            log(logging.ERROR, "online_store_failed", reason=str(error))
            self._metrics.count("online_store_failures_total", requests)
            return {}

    def _parsed(self, body: bytes) -> PredictionRequest:
        """Return the request in a body, or raise with the problems of all of its fields."""
        try:
            return parse_prediction(body)
        except InvalidFlightError as error:
            raise self._all_problems(error.errors, error.sound) from None

    def _flight_request(self, request: PredictionRequest, requested_at: int) -> FlightRequest:
        """Return the flight of a request, and until when events may be used for its features."""
        try:
            flight = to_flight(request, self._network())
            known_until = self._known_until(request, requested_at)
        except InvalidRequestError:
            raise self._all_problems((), msgspec.structs.asdict(request)) from None
        return FlightRequest(flight, flight.flight_id, requested_at, known_until)

    def _all_problems(
        self, found: Sequence[FieldProblem], sound: Mapping[str, object]
    ) -> InvalidRequestError:
        """Return the error with the problems found, and those of the well-written fields."""
        try:
            network = self._network()
        except NotReadyError:
            return problems_of(found)
        return problems_of(
            [*found, *flight_problems(sound, network, allow_as_of=self._allow_as_of)]
        )

    def _known_until(self, request: PredictionRequest, requested_at: int) -> int:
        if request.as_of is None:
            return requested_at // MS_PER_MINUTE
        return require_as_of(request.as_of, allowed=self._allow_as_of)

    def _count(self, results: Iterable[_Scored | ProblemError]) -> None:
        """Count predictions, their missing features, and their warnings."""
        for result in results:
            if isinstance(result, ProblemError):
                continue
            self._count_model(result.served, role="answer")
            entry = result.entry
            if entry.missing:
                self._metrics.missing(entry.missing)
            self._metrics.warned(entry.warnings)

    def _count_model(self, served: ServedModel, *, role: str) -> None:
        version, alias = served.model.version, served.alias or "none"
        self._metrics.count("predictions_total", version=version, alias=alias, role=role)


class _Lookup:
    """The items that a model needs for a flight (`keys`), and the features that follow from them.

    Args:
        served: The model.
        request: The flight.
    """

    __slots__ = ("_as_of", "_lookup", "_prediction_time", "keys")

    def __init__(self, served: ServedModel, request: FlightRequest) -> None:
        contract = served.model.contract
        self._prediction_time = request.flight.scheduled_departure_at - contract.horizon_min
        self._as_of = min(self._prediction_time, request.known_until)
        self._lookup = lookup_of(request.flight, self._as_of, contract)
        self.keys = self._lookup.keys

    def row(self, items: dict[str, bytes]) -> FeatureRow:
        """Return the features from the items of `keys`; an absent item has no events."""
        values, missing, newest, _ = self._lookup.resolve(items)
        return FeatureRow(self._prediction_time, self._as_of, values, missing, newest)
