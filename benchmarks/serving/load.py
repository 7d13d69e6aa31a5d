"""Load generators: closed loop (wrk), or open loop at a constant request rate."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ontime_base.errors import OntimeError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCRIPT: Final = Path(__file__).with_name("wrk.lua")
_ANSWER_LIMIT_S: Final = 10.0


class LoadError(OntimeError):
    """The load could not be made."""


@dataclass(frozen=True)
class Load:
    """The measurements of a load.

    Attributes:
        clients: Concurrent connections.
        offered_per_s: Requests offered a second; None: the next as soon as one was answered.
        per_s: Requests answered a second.
        p50_ms: Median time to an answer.
        p99_ms: The 99th percentile of the time to an answer.
        errors: Answers that were no success, and requests without one.
        shed: Of them those that the server shed (429, 503).
        asked: Requests in all.
    """

    clients: int
    offered_per_s: float | None
    per_s: float
    p50_ms: float
    p99_ms: float
    errors: int
    shed: int = 0
    asked: int = 0


def closed_load(url: str, bodies: Path, *, clients: int, seconds: int) -> Load:
    """Measure a server whose clients send the next request as soon as one is answered.

    Raises:
        LoadError: wrk is not installed, or failed.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise LoadError("wrk makes the load and is not installed: `apt-get install wrk`.")
    command = [wrk, "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "10s"]
    done = subprocess.run(
        [*command, "-s", str(_SCRIPT), url, "--", str(bodies)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise LoadError(f"wrk failed on {url}: {done.stderr.strip() or done.stdout.strip()}")
    seen = json.loads(done.stdout.strip().splitlines()[-1])
    answered = seen["requests"] - seen["errors"]
    return Load(
        clients, None, answered / seen["seconds"], seen["p50_ms"], seen["p99_ms"], seen["errors"]
    )


def open_load(
    url: str, bodies: Sequence[bytes], *, per_s: float, clients: int, seconds: float
) -> Load:
    """Measure a server at a constant request rate, whether requests are answered or not.

    The time of an answer counts from when its request was due, so a stall of the server is
    counted for every request that was due meanwhile (no coordinated omission).
    """
    return asyncio.run(_open_load(url, bodies, per_s=per_s, clients=clients, seconds=seconds))


async def _open_load(
    url: str, bodies: Sequence[bytes], *, per_s: float, clients: int, seconds: float
) -> Load:
    parts = urlsplit(url)
    requests = [_request(parts.path, parts.netloc, body) for body in bodies]
    due: asyncio.Queue[float | None] = asyncio.Queue()
    seen = _Seen([], [])
    connections = [await _connect(parts.netloc) for _ in range(clients)]
    connected = [
        asyncio.create_task(_client(parts.netloc, connection, requests, due, seen))
        for connection in connections
    ]
    started = time.perf_counter()
    for number in range(int(per_s * seconds)):
        at = started + number / per_s
        wait = at - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        due.put_nowait(at)
    for _ in connected:
        due.put_nowait(None)
    await asyncio.gather(*connected)
    took = time.perf_counter() - started
    good = sum(200 <= status < 300 for status in seen.statuses)
    shed = sum(status in {429, 503} for status in seen.statuses)
    ordered = sorted(seen.taken)
    return Load(
        clients,
        per_s,
        good / took,
        1000 * _percentile(ordered, 0.5),
        1000 * _percentile(ordered, 0.99),
        len(seen.statuses) - good,
        shed,
        len(seen.statuses),
    )


@dataclass(frozen=True)
class _Seen:
    taken: list[float]
    statuses: list[int]


async def _connect(netloc: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = netloc.partition(":")
    return await asyncio.open_connection(host, int(port))


async def _client(
    netloc: str,
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    requests: Sequence[bytes],
    due: asyncio.Queue[float | None],
    seen: _Seen,
) -> None:
    reader, writer = connection
    try:
        while (at := await due.get()) is not None:
            writer.write(requests[len(seen.statuses) % len(requests)])
            try:
                status = await asyncio.wait_for(_answer(reader), _ANSWER_LIMIT_S)
            except (OSError, asyncio.IncompleteReadError, TimeoutError):
                seen.statuses.append(0)
                writer.close()
                reader, writer = await _connect(netloc)
                continue
            seen.statuses.append(status)
            if 200 <= status < 300:
                seen.taken.append(time.perf_counter() - at)
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    start = lower.index(b"content-length:") + 15
    await reader.readexactly(int(lower[start : lower.index(b"\r\n", start)]))
    return int(head[9:12])


def _request(path: str, host: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def _percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
