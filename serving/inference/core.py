"""The one core of online inference: validate, look up, score, and the record of it.

It keeps nothing and answers nobody: whoever hands it a body keeps the records in the prediction
history, and only then gives the answer. Same body, clock and ids: the same bytes.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from features.online.lookup import lookup_of
from serving.inference.prediction_records import (
    Asked,
    Row,
    entry_of,
    to_answer,
    to_explained_answer,
    to_record,
)
from serving.online.flight_resolver import parse_as_of, to_flight
from serving.schema.clock import MS_PER_MINUTE, new_prediction_id, now_ms
from serving.schema.problems import FieldProblem, InvalidRequestError, ProblemError
from serving.schema.requests import parse_prediction
from serving.stores.errors import StoreError
from serving.telemetry.logs import log
from serving.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from serving.models.traffic_split import ServedModel, TrafficSplit
    from serving.online.network import Network
    from serving.schema.requests import PredictionRequest
    from serving.schema.responses import HistoryEntry
    from serving.stores.history.protocol import PredictionRecord
    from serving.stores.online.protocol import OnlineItems


STALE_MIN: Final = 360


@dataclass(frozen=True, slots=True)
class Shadow:
    """What the challenger has still to score, beside a prediction that is answered.

    Attributes:
        served: The challenger.
        asked: The flight.
        of: The prediction that was given.
    """

    served: ServedModel
    asked: Asked
    of: str


class Wanted(NamedTuple):
    """A prediction that is wanted.

    Attributes:
        body: The request.
        prediction_id: Its name; None: a new one.
        explain: Whether the answer tells the reasons.
    """

    body: bytes
    prediction_id: str | None = None
    explain: bool = False


@dataclass(frozen=True, slots=True)
class Prediction:
    """A prediction that was made and is not kept yet.

    Attributes:
        answer: The answer, JSON.
        record: What to keep before the answer is given.
        shadow: What to score after the answer is given; None without a challenger in the shadow.
    """

    answer: bytes
    record: PredictionRecord
    shadow: Shadow | None = None


class PredictionCore:
    """Makes predictions.

    Args:
        split: Gives the models that answer, or raises `NotReadyError`.
        network: Gives the airports and routes, or raises `NotReadyError`.
        online: The state of the features.
        allow_as_of: Whether a request may say as of when features are taken.
        clock: Milliseconds since the epoch.
        new_id: Makes prediction ids.
        metrics: Counts.
        stale_min: From this age on, the newest event makes a prediction count as stale.
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
        stale_min: int = STALE_MIN,
    ) -> None:
        self.split = split
        self.clock = clock
        self.new_id = new_id
        self._network = network
        self._online = online
        self._allow_as_of = allow_as_of
        self._metrics = metrics or Metrics()
        self._stale_min = stale_min

    def predict(
        self, body: bytes, *, prediction_id: str | None = None, explain: bool = False
    ) -> Prediction:
        """Return the prediction for the flight in a request body.

        What the online store does not hold, or cannot give, is a missing feature, never an error.

        Args:
            body: The request.
            prediction_id: Its name; by default a new one.
            explain: Whether the answer tells the reasons.

        Raises:
            ProblemError: The request is not valid, or no model or network is there.
        """
        (found,) = self.predict_together([Wanted(body, prediction_id, explain)])
        if isinstance(found, ProblemError):
            raise found
        return found

    def predict_together(self, wanted: Sequence[Wanted]) -> list[Prediction | ProblemError]:
        """Return for each what `predict` returns, or the problem that it raises.

        Each step is done for all of them before the next one begins: its code and the model then
        stay in the processor's caches. What comes of one does not depend on the others.
        """
        requested_at = self.clock()
        problems: dict[int, ProblemError] = {}
        looks: dict[int, tuple[ServedModel, Asked, LookUp, ServedModel | None]] = {}
        for place, each in enumerate(wanted):
            try:
                request = parse_prediction(each.body)
                split = self.split()
                asked = self.asked(request, requested_at)
            except ProblemError as error:
                problems[place] = error
                continue
            served = split.answering(asked.flight_id)
            looks[place] = served, asked, LookUp(served, asked), split.shadow
        keys = {key: None for _, _, look, _ in looks.values() for key in look.keys}
        items = self.items(keys, requests=len(looks))
        rows = {place: look.row(items) for place, (_, _, look, _) in looks.items()}
        scores = {
            place: served.model.scorer.score([rows[place].values])[0]
            for place, (served, *_) in looks.items()
        }
        found: list[Prediction | ProblemError] = []
        made: list[tuple[ServedModel, HistoryEntry]] = []
        for place, each in enumerate(wanted):
            if place in problems:
                found.append(problems[place])
                continue
            served, asked, _, trial = looks[place]
            row, prediction_id = rows[place], each.prediction_id or self.new_id()
            entry = entry_of(served, asked, row, scores[place], prediction_id)
            made.append((served, entry))
            shadow = None if trial is None else Shadow(trial, asked, prediction_id)
            answer = (
                to_explained_answer(entry, served.model.explanation(row.values))
                if each.explain
                else to_answer(entry)
            )
            found.append(Prediction(answer, to_record(entry, requested_at), shadow))
        for served, entry in made:  # once nothing can fail any more
            self.count(served, [entry])
        return found

    def shadow(self, shadow: Shadow) -> PredictionRecord:
        """Return the record of what the challenger says to a flight that another one answered."""
        row = self._row(shadow.served, shadow.asked)
        (probability,) = shadow.served.model.scorer.score([row.values])
        entry = entry_of(
            shadow.served, shadow.asked, row, probability, self.new_id(), shadow_of=shadow.of
        )
        self.count(shadow.served, [entry], role="shadow")
        return to_record(entry, shadow.asked.requested_at)

    def asked(self, request: PredictionRequest, requested_at: int) -> Asked:
        """Return the flight of a request, and until when its features may know.

        Raises:
            ProblemError: The request is not valid, or no network is there.
        """
        flight = to_flight(request, self._network())
        until = self._knows_until(request, requested_at)
        return Asked(flight, flight.flight_id, requested_at, until)

    def items(self, keys: Iterable[str], *, requests: int = 1) -> dict[str, bytes]:
        """Return what the online store holds, for so many requests; nothing when it is down."""
        try:
            return self._online.get_many(keys)
        except StoreError as error:
            log(logging.ERROR, "online_store_failed", reason=str(error))
            self._metrics.count("online_store_failures_total", requests)
            return {}

    def count(
        self, served: ServedModel, entries: Sequence[HistoryEntry], *, role: str = "answer"
    ) -> None:
        """Count predictions of one model, and what they went without."""
        version, alias = served.model.version, served.alias or "none"
        number = len(entries)
        self._metrics.count("predictions_total", number, version=version, alias=alias, role=role)
        if role == "answer":
            for entry in entries:
                if entry.missing:
                    self._metrics.missing(entry.missing)
                ages = entry.ages_min
                if max(ages.flights or 0, ages.weather or 0) > self._stale_min:
                    self._metrics.count("stale_predictions_total")

    def _knows_until(self, request: PredictionRequest, requested_at: int) -> int:
        if request.as_of is None:
            return requested_at // MS_PER_MINUTE
        if not self._allow_as_of:
            problem = "This service answers as of now."
            raise InvalidRequestError([FieldProblem("as_of", problem, "Leave it out.")])
        return parse_as_of(request.as_of)

    def _row(self, served: ServedModel, asked: Asked) -> Row:
        look = LookUp(served, asked)
        return look.row(self.items(look.keys))


class LookUp:
    """What a model needs of the online store for a flight, and what it is given then.

    Args:
        served: The model.
        asked: The flight.
    """

    __slots__ = ("_as_of", "_lookup", "_prediction_time", "keys")

    def __init__(self, served: ServedModel, asked: Asked) -> None:
        contract = served.model.contract
        self._prediction_time = asked.flight.scheduled_departure_at - contract.horizon_min
        self._as_of = min(self._prediction_time, asked.knows_until)
        self._lookup = lookup_of(asked.flight, self._as_of, contract)
        self.keys = self._lookup.keys

    def row(self, items: Mapping[str, bytes]) -> Row:
        """Return the row from the items of `keys`; one that is not there has no events."""
        values, missing, newest, _ = self._lookup.resolve(items)
        return Row(self._prediction_time, self._as_of, values, missing, newest)
