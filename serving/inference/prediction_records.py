"""Turns a scored flight into its answer and its record in the prediction history."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from serving.schema.clock import iso_minute, iso_ms
from serving.schema.responses import (
    Ages,
    ExplainedAnswer,
    FlightInfo,
    HistoryEntry,
    ModelInfo,
    PredictionAnswer,
)
from serving.stores.history.protocol import PredictionRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.online.lookup import Flight
    from serving.models.traffic_split import ServedModel
    from serving.schema.responses import Explanation, WarningCode

_ENCODER: Final = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class FlightRequest:
    """A valid request: its flight and its times.

    Attributes:
        flight: The flight.
        flight_id: Its id.
        requested_at: Milliseconds since the epoch.
        known_until: Minutes since the epoch; features use only data known before.
    """

    flight: Flight
    flight_id: str
    requested_at: int
    known_until: int


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """The features of a flight.

    Attributes:
        prediction_time: Minutes since the epoch.
        as_of: Instant of the features, minutes since the epoch.
        values: In the order of the contract; None is missing.
        missing: Names of the missing features.
        newest: Minute of the newest event known before `as_of`, by table; None without one.
    """

    prediction_time: int
    as_of: int
    values: list[float | str | None]
    missing: list[str]
    newest: Mapping[str, int | None] = field(default_factory=dict)


def entry_of(
    served: ServedModel,
    request: FlightRequest,
    row: FeatureRow,
    probability: float,
    prediction_id: str,
    *,
    warnings: Sequence[WarningCode] = (),
    shadow_of: str | None = None,
) -> HistoryEntry:
    """Return the complete history entry of a prediction."""
    threshold = served.model.contract.operating_threshold
    return HistoryEntry(
        prediction_id=prediction_id,
        flight_id=request.flight_id,
        probability=probability,
        late=probability >= threshold,
        threshold=threshold,
        model=ModelInfo(served.model.name, served.model.version, served.alias),
        prediction_time=iso_minute(row.prediction_time),
        features_as_of=iso_minute(row.as_of),
        ages_min=Ages(_age(row, "flights"), _age(row, "weather")),
        missing=row.missing,
        requested_at=iso_ms(request.requested_at),
        warnings=warnings,
        flight=_flight_info(request.flight),
        features=row.values,
        shadow_of=shadow_of,
    )


def answer_of(entry: HistoryEntry) -> PredictionAnswer:
    """Return the answer of an entry: what the caller gets."""
    return PredictionAnswer(
        entry.prediction_id,
        entry.flight_id,
        entry.probability,
        entry.late,
        entry.threshold,
        entry.model,
        entry.prediction_time,
        entry.features_as_of,
        entry.ages_min,
        entry.missing,
        entry.requested_at,
        entry.warnings,
    )


def to_explained_answer(entry: HistoryEntry, explanation: Explanation | None) -> bytes:
    """Return the answer of an entry with its reasons, as JSON."""
    answer = answer_of(entry)
    fields = {name: getattr(answer, name) for name in answer.__struct_fields__}
    return _ENCODER.encode(ExplainedAnswer(**fields, explanation=explanation))


def to_answer(entry: HistoryEntry) -> bytes:
    """Return the answer of an entry, as JSON."""
    return _ENCODER.encode(answer_of(entry))


def to_record(entry: HistoryEntry, requested_at: int) -> PredictionRecord:
    """Return the record of an entry in the prediction history."""
    return PredictionRecord(
        requested_at_ms=requested_at,
        prediction_id=entry.prediction_id,
        flight_id=entry.flight_id,
        body=_ENCODER.encode(entry),
    )


def _age(row: FeatureRow, table: str) -> int | None:
    newest = row.newest.get(table)
    return None if newest is None else row.as_of - newest


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
