"""The answer of `GET /model`: the models that answer, and why a release was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serving.models.traffic_split import CHALLENGER
from serving.schema.clock import iso_minute
from serving.schema.responses import ChallengerAnswer, ModelAnswer, Span

if TYPE_CHECKING:
    from serving.models.release_follower import ReleaseFollower
    from serving.models.traffic_split import TrafficSplit

CARD: Final = "/model/card"
CHALLENGER_CARD: Final = f"{CARD}?alias={CHALLENGER}"


def model_status(
    follower: ReleaseFollower, *, since: int | None = None, until: int | None = None
) -> ModelAnswer:
    """Return the status of the models that answer.

    Args:
        follower: Holds them.
        since: The first minute that the online state covers, since the epoch; None: not known.
        until: The last one.

    Raises:
        NotReadyError: No model is loaded.
    """
    split = follower.split()
    primary, contract = split.primary, split.primary.model.contract
    share = split.weight if split.challenger is not None else 0.0
    return ModelAnswer(
        name=primary.model.name,
        version=primary.model.version,
        alias=primary.alias,
        revision=primary.revision,
        threshold=contract.operating_threshold,
        horizon_min=contract.horizon_min,
        features=[feature.name for feature in contract.features],
        manifest_sha256=primary.model.manifest_sha256,
        refusal=follower.refusal,
        weight=1 - share,
        card=CARD,
        challenger=_challenger(split, follower),
        learned=None if primary.model.learned is None else _span(*primary.model.learned),
        online=_span(since, until),
    )


def _span(since: int | None, until: int | None) -> Span:
    return Span(*(None if at is None else iso_minute(at) for at in (since, until)))


def _challenger(split: TrafficSplit, follower: ReleaseFollower) -> ChallengerAnswer | None:
    if split.challenger is None:
        if follower.challenger_refusal is None:
            return None
        return ChallengerAnswer(None, 0.0, None, None, CHALLENGER_CARD, follower.challenger_refusal)
    model = split.challenger.model
    threshold, checksum = model.contract.operating_threshold, model.manifest_sha256
    return ChallengerAnswer(model.version, split.weight, threshold, checksum, CHALLENGER_CARD, None)
