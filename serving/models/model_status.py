"""The answer of `GET /model`: the models that answer, and why a release was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serving.models.traffic_split import CHALLENGER
from serving.schema.responses import ChallengerAnswer, ModelAnswer

if TYPE_CHECKING:
    from serving.models.release_follower import ReleaseFollower
    from serving.models.traffic_split import TrafficSplit

CARD: Final = "/model/card"
CHALLENGER_CARD: Final = f"{CARD}?alias={CHALLENGER}"


def model_status(follower: ReleaseFollower) -> ModelAnswer:
    """Return the status of the models that answer.

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
    )


def _challenger(split: TrafficSplit, follower: ReleaseFollower) -> ChallengerAnswer | None:
    if split.challenger is None:
        if follower.challenger_refusal is None:
            return None
        return ChallengerAnswer(None, 0.0, None, None, CHALLENGER_CARD, follower.challenger_refusal)
    model = split.challenger.model
    threshold, checksum = model.contract.operating_threshold, model.manifest_sha256
    return ChallengerAnswer(model.version, split.weight, threshold, checksum, CHALLENGER_CARD, None)
