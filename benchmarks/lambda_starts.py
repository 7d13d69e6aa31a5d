"""Cold starts and warm requests of a function beside the emulated Runtime API, one by one."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.lambda_runtime import RuntimeHost, start_function
from ontime_base.errors import OntimeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.lambda_world import World

HANDLER: Final = "serving.lambdas.api_handler.handler"
MEMORY_MB: Final = 512
_NS_PER_MS: Final = 1_000_000


class NoPredictionError(OntimeError):
    """The function did not answer with a prediction."""


@dataclass(frozen=True, slots=True)
class Start:
    """One cold start.

    Attributes:
        ms: From the start of the process to the first answer.
        cpu_ms: What of it the process computed.
        waited_ms: What of it the process could have run, and others did.
        memory_mb: The most memory that it had by then.
    """

    ms: float
    cpu_ms: float
    waited_ms: float
    memory_mb: float


@dataclass(frozen=True, slots=True)
class Measured:
    """Cold starts, and the warm requests of the last of them.

    Attributes:
        starts: The starts.
        warm_ms: From the handler's own log: reading the event to the whole answer.
        round_trip_ms: As the host sees them, the runtime client included.
        warm_cpu_ms: What the process computed for one of them, the runtime client included.
    """

    starts: list[Start]
    warm_ms: list[float]
    round_trip_ms: list[float]
    warm_cpu_ms: float = 0.0

    def median(self, name: str) -> float:
        """Return the median over the starts."""
        return statistics.median(float(getattr(each, name)) for each in self.starts)


def measure(
    world: World, path: list[Path], handed: Sequence[bytes], log: Path, *, starts: int
) -> Measured:
    """Start the function several times, and ask the last one for everything.

    Args:
        world: Its surroundings.
        path: Bundle and runtime client.
        handed: The events.
        log: Where its lines go.
        starts: How many cold starts.
    """
    found: list[Start] = []
    round_trips: list[float] = []
    cpu_ms = 0.0
    processor = max(os.sched_getaffinity(0))
    for number in range(starts):
        log.write_bytes(b"")
        with RuntimeHost() as host:
            began = time.perf_counter()
            with start_function(
                host,
                HANDLER,
                path=path,
                environment=world.environment,
                log=log,
                processor=processor,
                memory_mb=MEMORY_MB,
            ) as process:
                try:
                    first = host.invoke(handed[number % len(handed)], started=began)
                    _require_prediction(first.body)
                    found.append(_start(first.ms, process.pid))
                    if number == starts - 1:
                        round_trips = [host.invoke(each).ms for each in handed]
                        cpu_ms = _start(0, process.pid).cpu_ms - found[-1].cpu_ms
                finally:
                    process.kill()
    return Measured(found, _handler_ms(log)[1:], round_trips, cpu_ms / len(handed))


def measure_mlflow(model: Path, event: bytes, log: Path, runtime: Path, *, starts: int) -> Measured:
    """Start the MLflow handler several times: our environment, one core, memory not limited."""
    found = []
    for _ in range(starts):
        with RuntimeHost() as host:
            began = time.perf_counter()
            with start_function(
                host,
                "benchmarks.mlflow_handler.handler",
                path=[Path(__file__).resolve().parent.parent, runtime],
                environment={"MODEL": str(model), "HOME": str(log.parent)},
                log=log,
                processor=max(os.sched_getaffinity(0)),
                python=sys.executable,
            ) as process:
                try:
                    found.append(_start(host.invoke(event, started=began).ms, process.pid))
                finally:
                    process.kill()
    return Measured(found, [], [])


def _require_prediction(answer: bytes) -> None:
    reply = json.loads(answer)
    if reply.get("statusCode") != 200 or "probability" not in reply["body"]:
        raise NoPredictionError(f"The function gave no prediction: {answer[:500].decode()}")


def _start(ms: float, pid: int) -> Start:
    ran, waited, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    peak = Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]
    return Start(ms, int(ran) / _NS_PER_MS, int(waited) / _NS_PER_MS, int(peak) / 1000)


def _handler_ms(log: Path) -> list[float]:
    lines = [line for line in log.read_text().splitlines() if line.startswith("{")]
    entries = [json.loads(line) for line in lines]
    return [each["ms"] for each in entries if each.get("event") == "request"]
