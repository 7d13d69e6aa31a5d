"""The models that answer, as callers are told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serving.models.traffic_split import CHALLENGER
from serving.schema.responses import ChallengerAnswer, ModelAnswer

if TYPE_CHECKING:
    from serving.models.release_follower import ModelFollower
    from serving.models.traffic_split import Split

CARD: Final = "/model/card"
CHALLENGER_CARD: Final = f"{CARD}?alias={CHALLENGER}"


def described(split: Split, follower: ModelFollower) -> ModelAnswer:
    """Return the description of the models of an instant."""
    main, contract = split.main, split.main.model.contract
    share = split.weight if split.trial is not None else 0.0
    return ModelAnswer(
        name=main.model.name,
        version=main.model.version,
        alias=main.alias,
        revision=main.revision,
        threshold=contract.operating_threshold,
        horizon_min=contract.horizon_min,
        features=[feature.name for feature in contract.features],
        manifest_sha256=main.model.manifest_sha256,
        refusal=follower.refusal,
        weight=1 - share,
        card=CARD,
        challenger=_challenger(split, follower),
    )


def _challenger(split: Split, follower: ModelFollower) -> ChallengerAnswer | None:
    if split.trial is None:
        if follower.trial_refusal is None:
            return None
        return ChallengerAnswer(None, 0.0, None, None, CHALLENGER_CARD, follower.trial_refusal)
    model = split.trial.model
    threshold, checksum = model.contract.operating_threshold, model.manifest_sha256
    return ChallengerAnswer(model.version, split.weight, threshold, checksum, CHALLENGER_CARD, None)
