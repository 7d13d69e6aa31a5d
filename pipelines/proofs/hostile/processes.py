"""A process ends as it should, with its own exit code."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

from pipelines.proofs.hostile.running import require

if TYPE_CHECKING:
    from pipelines.proofs.hostile.world import World


def a_stopped_service_ends_with_code_0(world: World) -> None:
    """After SIGTERM `ontime serve` says that it stopped, and its exit code is 0."""
    with world.own_service() as service:
        require(service.predict().status == http.client.OK, "it did not answer before")
        code = service.stop()
        require(code == 0, f"its exit code is {code}")
        require(service.log().rstrip().endswith("serve: stopped"), service.log()[-200:])
