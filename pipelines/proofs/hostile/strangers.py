"""Nothing is free for strangers."""

from __future__ import annotations

import contextlib
import http.client
from typing import TYPE_CHECKING, Final

from pipelines.proofs.hostile.running import require

if TYPE_CHECKING:
    from pipelines.proofs.hostile.world import World

WORST_HEAD_MEMORY: Final = "worst_head_memory_mb"
_MOST_MEMORY_MB: Final = 160
_TOO_LARGE: Final = 431
_CONNECTIONS: Final = 16
_MEGABYTE: Final = 1_048_576


def heads_of_any_size_take_no_memory(world: World) -> None:
    """Heads of 16 MB from 16 strangers are refused, and the memory of the service stays."""
    world.service.reset_peak()
    for _ in range(_CONNECTIONS):
        with world.service.connect() as stranger, contextlib.suppress(ConnectionError):
            stranger.send(b"GET /health HTTP/1.1\r\nhost: x\r\nx-large: ")
            for _ in range(16):
                stranger.send(b"a" * _MEGABYTE)
    peak = world.figures[WORST_HEAD_MEMORY] = world.service.memory_mb(peak=True)
    require(peak <= _MOST_MEMORY_MB, f"the resident memory reached {peak:.0f} MB")
    require(world.service.get("/health").status == http.client.OK, "it does not answer any more")


def a_head_over_the_limit_is_answered_431(world: World) -> None:
    """A head of 32 KB in one header, or in many, is refused before the caller is known."""
    many = "".join(f"x-{number}: {'a' * 100}\r\n" for number in range(300))
    for headers in (f"x-large: {'a' * 32_768}\r\n", many):
        with world.service.connect() as stranger:
            stranger.send(f"GET /model HTTP/1.1\r\nhost: x\r\n{headers}\r\n".encode())
            answer = stranger.answer()
            require(answer.status == _TOO_LARGE, str(answer))
