"""The prediction history with what takes over while it is down, as the configuration says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.history.queued_history import QueuedHistory
from serving.history.spool import FileSpool
from serving.history.spooled_history import SpooledHistory
from serving.stores.opening import open_history, open_queue

if TYPE_CHECKING:
    from pathlib import Path

    from serving.settings import StoreSettings
    from serving.stores.history.protocol import PredictionHistory


def open_lasting_history(options: StoreSettings, home: Path) -> PredictionHistory:
    """Return the prediction history, its spool or queue behind it.

    Args:
        options: Which stores are used.
        home: The folder of those that are embedded, and of the spool.

    Raises:
        StoreError: A store cannot be opened.
    """
    history = open_history(options, home)
    if options.fallback == "spool":
        spool = FileSpool(home / "spool", most_megabytes=options.spool_megabytes)
        return SpooledHistory(history, spool)
    if options.fallback == "queue":
        return QueuedHistory(history, open_queue(options, home, "records"))
    return history
