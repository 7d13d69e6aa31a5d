"""Many flights in one request: one read of the online store, one vectorized score for each model.

A flight at fault gets its problem in its place, and the others their predictions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from serving.inference.core import LookUp, Shadow
from serving.inference.prediction_records import answer_of, entry_of, to_record
from serving.schema.problems import ProblemError
from serving.schema.requests import parse_batch, parse_prediction
from serving.schema.responses import BatchAnswer, BatchItem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serving.inference.core import PredictionCore
    from serving.inference.prediction_records import Asked, Row
    from serving.models.traffic_split import ServedModel
    from serving.schema.responses import HistoryEntry
    from serving.stores.history.protocol import PredictionRecord


@dataclass(frozen=True, slots=True)
class Batch:
    """Predictions that were made and are not kept yet.

    Attributes:
        answer: The answer, JSON.
        records: What to keep before the answer is given.
        shadows: What to score after it.
    """

    answer: bytes
    records: Sequence[PredictionRecord]
    shadows: Sequence[Shadow]


def predict_batch(core: PredictionCore, body: bytes, *, most: int, request_id: str) -> Batch:
    """Return a prediction or a problem for each flight in a request body.

    Args:
        core: Makes predictions.
        body: The request.
        most: The most flights in one request.
        request_id: Named in the problems.

    Raises:
        ProblemError: The request as a whole is not valid, or no model or network is there.
    """
    requested_at = core.clock()
    flights = parse_batch(body, most=most)
    split = core.split()
    asked: dict[int, Asked] = {}
    problems: dict[int, ProblemError] = {}
    for place, flight in enumerate(flights):
        try:
            asked[place] = core.asked(parse_prediction(bytes(flight)), requested_at)
        except ProblemError as error:
            if error.status >= ProblemError.status:  # of the service, and so of every flight
                raise
            problems[place] = error
    by_model: dict[ServedModel, dict[int, Asked]] = {}
    looks: dict[int, LookUp] = {}
    for place, each in asked.items():
        served = split.answering(each.flight_id)
        by_model.setdefault(served, {})[place] = each
        looks[place] = LookUp(served, each)
    items = core.items({key: None for look in looks.values() for key in look.keys})
    rows = {place: look.row(items) for place, look in looks.items()}
    entries: dict[int, HistoryEntry] = {}
    for served, group in by_model.items():
        entries |= _scored(core, served, group, rows)
    trial = split.shadow
    return Batch(
        _answer(len(flights), entries, problems, request_id),
        [to_record(entries[place], requested_at) for place in sorted(entries)],
        []
        if trial is None
        else [
            Shadow(trial, asked[place], entries[place].prediction_id) for place in sorted(entries)
        ],
    )


def _scored(
    core: PredictionCore,
    served: ServedModel,
    group: Mapping[int, Asked],
    rows: Mapping[int, Row],
) -> dict[int, HistoryEntry]:
    """Return the predictions of one model by the flights' places: one call of the scorer."""
    scores = served.model.scorer.score([rows[place].values for place in group])
    entries = {
        place: entry_of(served, asked, rows[place], probability, core.new_id())
        for (place, asked), probability in zip(group.items(), scores, strict=True)
    }
    core.count(served, list(entries.values()))
    return entries


def _answer(
    number: int,
    entries: Mapping[int, HistoryEntry],
    problems: Mapping[int, ProblemError],
    request_id: str,
) -> bytes:
    items = [
        BatchItem(None, problems[place].details(request_id))
        if place in problems
        else BatchItem(answer_of(entries[place]), None)
        for place in range(number)
    ]
    return msgspec.json.encode(BatchAnswer(items, len(problems)))
