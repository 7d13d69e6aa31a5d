"""Response bodies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from serving.schema.problems import Problem

_INSTANT = {"format": "date-time"}

WarningCode: TypeAlias = Literal["outside_data", "unknown_carrier", "stale", "mostly_missing"]


class ModelInfo(msgspec.Struct, frozen=True):
    """The model version that answered."""

    name: Annotated[str, Meta(description="Registered model.")]
    version: Annotated[str, Meta(description="Its version.")]
    alias: Annotated[
        Literal["champion", "challenger"] | None,
        Meta(description="The alias followed; null when this server is pinned to a version."),
    ]


class Ages(msgspec.Struct, frozen=True):
    """Minutes since the newest event that is known; null where none is."""

    flights: Annotated[int | None, Meta(description="Of all of New York.")]
    weather: Annotated[int | None, Meta(description="At the origin.")]


class Reason(msgspec.Struct, frozen=True):
    """One feature's part in a prediction."""

    feature: str
    about: Annotated[str, Meta(description="The definition of the feature.")]
    unit: str
    value: Annotated[float | str | None, Meta(description="Its value; null is missing.")]
    effect: Annotated[
        float, Meta(description="What it adds to the log-odds: above 0 towards late.")
    ]


class Explanation(msgspec.Struct, frozen=True):
    """Why the probability is what it is: base, effects and others add up to its log-odds."""

    method: Annotated[str, Meta(description="Name of the method.")]
    base: Annotated[float, Meta(description="Log-odds of a flight of which nothing is known.")]
    reasons: Annotated[Sequence[Reason], Meta(description="The main ones, largest first.")]
    others: Annotated[float, Meta(description="What all other features add.")]


class PredictionAnswer(msgspec.Struct, frozen=True):
    """The probability that a flight arrives 15 minutes late or more."""

    prediction_id: Annotated[str, Meta(description="Name of this prediction in the history.")]
    flight_id: Annotated[
        str, Meta(description="Carrier, flight number, and scheduled departure hour in UTC.")
    ]
    probability: Annotated[float, Meta(ge=0, le=1, description="Of a late arrival.")]
    late: Annotated[bool, Meta(description="Whether the probability reaches the threshold.")]
    threshold: Annotated[float, Meta(description="Operating threshold of the model version.")]
    model: ModelInfo
    prediction_time: Annotated[
        str,
        Meta(
            description="Scheduled departure less the horizon: later events are never used.",
            extra_json_schema=_INSTANT,
        ),
    ]
    features_as_of: Annotated[
        str,
        Meta(
            description="Features hold what was known before this instant: the earlier of the "
            "prediction time and the time of the request.",
            extra_json_schema=_INSTANT,
        ),
    ]
    ages_min: Annotated[
        Ages, Meta(description="Freshness of the online state, to `features_as_of`.")
    ]
    missing: Annotated[
        Sequence[str], Meta(description="Features without a value, which the model does without.")
    ]
    requested_at: Annotated[str, Meta(extra_json_schema=_INSTANT)]
    warnings: Annotated[
        Sequence[WarningCode],
        Meta(
            description="What the prediction lacks grounds for; empty where it has them. "
            "`outside_data`: the flight leaves outside the time that the model has learned from "
            "and the online state covers; `unknown_carrier`: the model has learned nothing about "
            "the carrier; `stale`: the newest event is too old, or none is known; "
            "`mostly_missing`: more than half of the features have no value. Predictions from "
            "before there were warnings have none."
        ),
    ] = ()


class ExplainedAnswer(PredictionAnswer, frozen=True, kw_only=True):
    """A prediction with its reasons."""

    explanation: Annotated[
        Explanation | None,
        Meta(description="Null where the model version was exported without what it needs."),
    ]


class FlightInfo(msgspec.Struct, frozen=True):
    """The flight of a prediction, its times in UTC."""

    carrier: str
    flight_number: int
    origin: str
    destination: str
    scheduled_departure: Annotated[str, Meta(extra_json_schema=_INSTANT)]
    scheduled_arrival: Annotated[str, Meta(extra_json_schema=_INSTANT)]
    tail_number: str | None


class HistoryEntry(PredictionAnswer, frozen=True, kw_only=True):
    """A prediction in the history: the answer, the flight, and the features."""

    flight: FlightInfo
    features: Annotated[
        Sequence[float | str | None],
        Meta(description="Values in the order of the model's contract; null is missing."),
    ]
    shadow_of: Annotated[
        str | None,
        Meta(
            description="The answered prediction, if this is the challenger's shadow prediction; "
            "else null."
        ),
    ] = None


class BatchItem(msgspec.Struct, frozen=True):
    """The result of one flight of a batch: a prediction or a problem."""

    prediction: PredictionAnswer | None
    problem: Problem | None


class BatchAnswer(msgspec.Struct, frozen=True):
    """The results of a batch; an invalid flight does not fail the batch."""

    items: Annotated[Sequence[BatchItem], Meta(description="In the order of the request.")]
    failed: Annotated[int, Meta(ge=0, description="How many of them are problems.")]


class JobAnswer(msgspec.Struct, frozen=True):
    """A prediction that is made later."""

    id: Annotated[str, Meta(description="Its name; also the id of the prediction.")]
    state: Literal["pending", "done", "failed"]
    prediction: Annotated[
        PredictionAnswer | None, Meta(description="Once it is done; null before.")
    ]
    problem: Annotated[Problem | None, Meta(description="Why it failed; null unless it did.")]


class HistoryAnswer(msgspec.Struct, frozen=True):
    """A page of the prediction history."""

    items: Annotated[Sequence[msgspec.Raw], Meta(description="Predictions, newest first.")]
    next: Annotated[
        str | None, Meta(description="Cursor of the next older page; null on the last.")
    ]
    history: Annotated[
        Sequence[msgspec.Raw], Meta(description="The same as `items`, as older clients name it.")
    ]


class Span(msgspec.Struct, frozen=True):
    """A span of time; null where an end of it is not known."""

    since: Annotated[str | None, Meta(description="Its beginning.", extra_json_schema=_INSTANT)] = (
        msgspec.field(name="from")
    )
    until: Annotated[str | None, Meta(description="Its end.", extra_json_schema=_INSTANT)]


class ChallengerAnswer(msgspec.Struct, frozen=True):
    """The challenger beside the version that answers."""

    version: Annotated[str | None, Meta(description="Its version; null when it was refused.")]
    weight: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Share of the flights that it answers; at 0 it scores in the shadow.",
        ),
    ]
    threshold: Annotated[float | None, Meta(description="Its operating threshold.")]
    manifest_sha256: Annotated[str | None, Meta(description="Checksum of its package.")]
    card: Annotated[str, Meta(description="Where its model card is.")]
    refusal: Annotated[
        str | None,
        Meta(description="Why it does not answer its share; null when it does."),
    ]


class ModelAnswer(msgspec.Struct, frozen=True):
    """The model that answers on this server."""

    name: Annotated[str, Meta(description="Registered model.")]
    version: Annotated[str, Meta(description="Its version.")]
    alias: Annotated[
        Literal["champion", "challenger"] | None,
        Meta(description="The alias followed; null when this server is pinned to a version."),
    ]
    revision: Annotated[int, Meta(description="Revision of the release document.")]
    threshold: Annotated[float, Meta(description="Probability from which a flight is called late.")]
    horizon_min: Annotated[
        int, Meta(description="Minutes from the prediction time to the scheduled departure.")
    ]
    features: Annotated[Sequence[str], Meta(description="Features, in the order of the contract.")]
    manifest_sha256: Annotated[str, Meta(description="Checksum of the model package.")]
    refusal: Annotated[
        str | None,
        Meta(description="Why the released version does not answer; null when it does."),
    ]
    weight: Annotated[
        float, Meta(ge=0, le=1, description="Share of the flights that this version answers.")
    ]
    card: Annotated[str, Meta(description="Where the model card is.")]
    challenger: Annotated[
        ChallengerAnswer | None, Meta(description="The model on trial; null when there is none.")
    ]
    learned: Annotated[
        Span | None,
        Meta(
            description="Scheduled departures of the flights that this version has learned from; "
            "null for a version that was published before this was recorded."
        ),
    ]
    online: Annotated[Span, Meta(description="The time that the online state covers.")]


class HealthAnswer(msgspec.Struct, frozen=True):
    """The process is alive."""

    status: Literal["ok"]
