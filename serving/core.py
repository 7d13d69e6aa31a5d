"""The one core of online inference: validate, look up, score, and the record of it.

It keeps nothing and answers nobody: an adapter (HTTP, Lambda) hands it a body, keeps the record in
the prediction history, and only then gives the answer. Same body, clock and ids: the same bytes.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from features.online import lookup_of
from serving.answers import FlightInfo, HistoryEntry, ModelInfo, PredictionAnswer
from serving.clock import MS_PER_MINUTE, iso_minute, iso_ms, new_prediction_id, now_ms
from serving.flights import parse_as_of, to_flight
from serving.logs import log
from serving.problems import FieldProblem, InvalidRequestError
from serving.requests import parse_prediction
from serving.stores.errors import StoreError
from serving.stores.history import PredictionRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from features.online import Flight
    from serving.follower import ServedModel
    from serving.network import Network
    from serving.requests import PredictionRequest
    from serving.stores.online import OnlineItems

_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Prediction:
    """A prediction that was made and is not kept yet.

    Attributes:
        answer: The answer, JSON.
        record: What to keep before the answer is given.
    """

    answer: bytes
    record: PredictionRecord


class PredictionCore:
    """Makes predictions.

    Args:
        model: Gives the model that answers, or raises `NotReadyError`.
        network: Gives the airports and routes, or raises `NotReadyError`.
        online: The state of the features.
        allow_as_of: Whether a request may say as of when features are taken.
        clock: Milliseconds since the epoch.
        new_id: Makes prediction ids.
    """

    def __init__(
        self,
        *,
        model: Callable[[], ServedModel],
        network: Callable[[], Network],
        online: OnlineItems,
        allow_as_of: bool = False,
        clock: Callable[[], int] = now_ms,
        new_id: Callable[[], str] = new_prediction_id,
    ) -> None:
        self._model = model
        self._network = network
        self._online = online
        self._allow_as_of = allow_as_of
        self._clock = clock
        self._new_id = new_id

    def predict(self, body: bytes) -> Prediction:
        """Return the prediction for the flight in a request body.

        What the online store does not hold, or cannot give, is a missing feature, never an error.

        Raises:
            ProblemError: The request is not valid, or no model or network is there.
        """
        requested_at = self._clock()
        request = parse_prediction(body)
        served = self._model()
        flight = to_flight(request, self._network())
        prediction_time = flight.scheduled_departure_at - served.model.contract.horizon_min
        as_of = min(prediction_time, self._knows_until(request, requested_at))
        lookup = lookup_of(flight, as_of, served.model.contract)
        values, missing, _, _ = lookup.resolve(self._items(lookup.keys))
        (probability,) = served.model.scorer.score([values])
        threshold = served.model.contract.operating_threshold
        entry = HistoryEntry(
            prediction_id=self._new_id(),
            flight_id=flight.flight_id,
            probability=probability,
            late=probability >= threshold,
            threshold=threshold,
            model=ModelInfo(served.model.name, served.model.version, served.alias),
            prediction_time=iso_minute(prediction_time),
            features_as_of=iso_minute(as_of),
            missing=missing,
            requested_at=iso_ms(requested_at),
            flight=_flight_info(flight),
            features=values,
        )
        return _prediction(entry, requested_at)

    def _knows_until(self, request: PredictionRequest, requested_at: int) -> int:
        if request.as_of is None:
            return requested_at // MS_PER_MINUTE
        if not self._allow_as_of:
            problem = "This service answers as of now."
            raise InvalidRequestError([FieldProblem("as_of", problem, "Leave it out.")])
        return parse_as_of(request.as_of)

    def _items(self, keys: Iterable[str]) -> dict[str, bytes]:
        try:
            return self._online.get_many(keys)
        except StoreError as error:
            log(logging.ERROR, "online_store_failed", reason=str(error))
            return {}


def _flight_info(flight: Flight) -> FlightInfo:
    return FlightInfo(
        carrier=flight.carrier,
        flight_number=flight.flight_number,
        origin=flight.origin,
        destination=flight.destination,
        scheduled_departure=iso_minute(flight.scheduled_departure_at),
        scheduled_arrival=iso_minute(flight.scheduled_arrival_at),
        tail_number=flight.tail_number,
    )


def _prediction(entry: HistoryEntry, requested_at: int) -> Prediction:
    answer = PredictionAnswer(
        entry.prediction_id,
        entry.flight_id,
        entry.probability,
        entry.late,
        entry.threshold,
        entry.model,
        entry.prediction_time,
        entry.features_as_of,
        entry.missing,
        entry.requested_at,
    )
    record = PredictionRecord(
        requested_at_ms=requested_at,
        prediction_id=entry.prediction_id,
        flight_id=entry.flight_id,
        body=_ENCODER.encode(entry),
    )
    return Prediction(_ENCODER.encode(answer), record)
