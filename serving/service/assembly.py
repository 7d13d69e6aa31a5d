"""Opens the stores of the service as configured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.history.history_fallback import open_history_with_fallback
from serving.stores.opening import (
    open_artifact_store,
    open_job_stores,
    open_online_items,
    open_online_store,
    open_queue,
)

if TYPE_CHECKING:
    from pathlib import Path

    from serving.settings import ServingSettings
    from serving.stores.artifacts.protocol import ArtifactStore
    from serving.stores.history.protocol import PredictionHistory
    from serving.stores.idempotency.protocol import IdempotencyStore
    from serving.stores.jobs.protocol import JobStore
    from serving.stores.online.protocol import OnlineItems, OnlineStore
    from serving.stores.queue.protocol import Queue


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores of the service.

    Attributes:
        artifacts: Release document and model packages.
        history: Predictions.
        online: Online items and the network, as read by requests.
        jobs: Asynchronous predictions.
        queue: Delivers job ids to workers.
        idempotency: Replies by idempotency key.
        events: Delivers events to workers.
        state: The online items, as written by workers.
    """

    artifacts: ArtifactStore
    history: PredictionHistory
    online: OnlineItems
    jobs: JobStore
    queue: Queue
    idempotency: IdempotencyStore
    events: Queue
    state: OnlineStore


def open_stores(options: ServingSettings, home: Path) -> Stores:
    """Return the configured stores.

    Args:
        options: Name them.
        home: The folder of those that are embedded.

    Raises:
        StoreError: A store cannot be opened.
    """
    work = open_job_stores(options.stores, home)
    return Stores(
        artifacts=open_artifact_store(options.store_uri or str(home / "store"), read_only=True),
        history=open_history_with_fallback(options.stores, home),
        online=open_online_items(options.stores, home),
        jobs=work.jobs,
        queue=open_queue(options.stores, home, "jobs"),
        idempotency=work.keys,
        events=open_queue(options.stores, home, "events"),
        state=open_online_store(options.stores, home),
    )
