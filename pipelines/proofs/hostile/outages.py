"""An outage is handled as an outage."""

from __future__ import annotations

import contextlib
import http.client
import signal
import sqlite3
from typing import TYPE_CHECKING

from pipelines.proofs.hostile.running import require

if TYPE_CHECKING:
    from pipelines.proofs.hostile.world import World


def a_locked_history_loses_no_prediction(world: World) -> None:
    """While another process locks the history, predictions are answered and spooled, then kept."""
    with world.own_service() as service:
        require(service.predict().status == http.client.OK, "it did not answer before")
        with contextlib.closing(sqlite3.connect(service.home / "serving.db")) as locking:
            locking.isolation_level = None
            locking.execute("BEGIN IMMEDIATE")
            for number in range(1, 6):
                answer = service.predict(flight_number=number)
                require(answer.status == http.client.OK, str(answer))
            service.stop(signal.SIGKILL)
            locking.execute("ROLLBACK")
