"""The gauges of the metrics: release, challenger weight, spool, queues."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from serving.history.history_fallback import SpooledHistory
from serving.models.model_status import model_status
from serving.models.traffic_split import CHALLENGER
from serving.schema.problems import NotReadyError
from serving.stores.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.models.release_follower import ReleaseFollower
    from serving.stores.history.protocol import PredictionHistory
    from serving.stores.queue.protocol import Queue
    from serving.telemetry.metrics import Labels


def gauges(
    follower: ReleaseFollower, history: PredictionHistory, queues: Mapping[str, Queue]
) -> dict[tuple[str, Labels], float]:
    """Return the values by name and labels; those of a store that is down are left out.

    Args:
        follower: Follows the release.
        history: The prediction history.
        queues: The queues, `jobs` and `events`.
    """
    refused = follower.refusal or follower.challenger_refusal
    now: dict[tuple[str, Labels], float] = {
        ("refused_artifacts_total", ()): follower.refusals,
        ("release_refused", ()): 1 if refused else 0,
        ("release_followed", ()): 1 if follower.follows else 0,
    }
    if isinstance(history, SpooledHistory):
        now["spool_waiting", ()] = history.statistics().waiting
    for name, queue in queues.items():
        with contextlib.suppress(StoreError):
            now[f"{name}_waiting", ()] = queue.depth()
            now["dead_letters", (("queue", name),)] = queue.dead_letters().depth()
    try:
        model = model_status(follower)
    except NotReadyError:
        return now
    now["release_revision", ()] = model.revision
    labels = (("version", model.version), ("alias", model.alias or "none"))
    now["model_weight", labels] = model.weight
    if model.challenger is not None and model.challenger.version is not None:
        labels = (("version", model.challenger.version), ("alias", CHALLENGER))
        now["model_weight", labels] = model.challenger.weight
    return now
