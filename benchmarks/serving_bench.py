"""`make bench-serving`: Ontime and its peers on the same model and flights, in one run.

Every server has one worker, and answers over HTTP on this machine, which makes the load as well.
What is measured, and what it showed, is in `benchmarks/README.md`.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from benchmarks.report import machine
from benchmarks.serving.charts import draw
from benchmarks.serving.inputs import copied_home, make_inputs, write_bodies
from benchmarks.serving.load import Load, closed_load, open_load
from benchmarks.serving.servers import ROOT, ask, running, servers
from ontime_base.errors import OntimeError
from pipelines.runtime.figures import write_figures
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.serving.servers import Server

OURS: Final = "ontime"
CLIENTS: Final = (1, 8, 64)
COMPARED_AT: Final = 8  # clients, for the times
SECONDS: Final = 8
OPEN_CLIENTS: Final = 1000
PER_MINUTE: Final = 10_000
CURVE: Final = (250, 500, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 5000)
CURVE_CLIENTS: Final = 2000
TOLERANCE: Final = 1e-6


def measure(
    server: Server, folder: Path, *, seconds: int, hold_s: float
) -> tuple[dict[str, list[Load]], list[float]]:
    """Return the measurements of a server by kind of load, and its first probabilities."""
    bodies = write_bodies(folder / f"{server.name}.jsonl", server.bodies)
    encoded = [json.dumps(body).encode() for body in server.bodies]
    loads: dict[str, list[Load]] = {}
    with running(server, folder / f"{server.name}.log") as url:
        answers = [ask(server, url, body) for body in server.bodies[:20]]
        closed_load(url, bodies, clients=2, seconds=2)  # warm
        loads["closed"] = [
            closed_load(url, bodies, clients=clients, seconds=seconds) for clients in CLIENTS
        ]
        if server.name == OURS:
            loads["curve"] = [
                open_load(url, encoded, per_s=rate, clients=CURVE_CLIENTS, seconds=seconds)
                for rate in CURVE
            ]
            burst = closed_load(url, bodies, clients=OPEN_CLIENTS, seconds=2 * seconds)
            loads["crowd"] = [burst]  # the name in the stored measurements
            held = open_load(url, encoded, per_s=PER_MINUTE / 60, clients=32, seconds=hold_s)
            loads["held"] = [held]
    return loads, answers


def figures_of(
    found: dict[str, dict[str, list[Load]]], answers: dict[str, list[float]]
) -> dict[str, Any]:
    """Return the figures: ours, and beside the best peer's."""
    ours = found[OURS]
    peers = {name: loads["closed"] for name, loads in found.items() if name != OURS}
    best = max(ours["closed"], key=lambda load: load.per_s)
    at = next(load for load in ours["closed"] if load.clients == COMPARED_AT)
    peer_rate = max((load.per_s for loads in peers.values() for load in loads), default=0.0)
    peer_p99 = min(
        (load.p99_ms for loads in peers.values() for load in loads if load.clients == COMPARED_AT),
        default=0.0,
    )
    held, burst = ours["held"][0], ours["crowd"][0]
    apart = {
        name: max(abs(one - other) for one, other in zip(answers[OURS], answers[name], strict=True))
        for name in peers
    }
    return {
        "requests_per_s": round(best.per_s),
        "vs_best_peer": round(best.per_s / peer_rate, 1) if peer_rate else None,
        "p50_ms": round(at.p50_ms, 2),
        "p99_ms": round(at.p99_ms, 2),
        "p99_vs_best_peer": round(at.p99_ms / peer_p99, 4) if peer_p99 else None,
        "errors": sum(
            load.errors for loads in (ours["closed"], ours["held"], ours["crowd"]) for load in loads
        ),
        "open_clients": burst.clients,
        "open_clients_per_s": round(burst.per_s),
        "open_clients_p99_ms": round(burst.p99_ms, 1),
        "held_per_minute": round(held.per_s * 60),
        "held_p99_ms": round(held.p99_ms, 2),
        "best_peer_per_s": round(peer_rate, 1),
        "best_peer_p99_ms": round(peer_p99, 1),
        "equal": all(difference <= TOLERANCE for difference in apart.values()),
        **{f"max_difference_{name}": difference for name, difference in apart.items()},
        "machine": machine(),
    }


def table_of(found: dict[str, dict[str, list[Load]]]) -> str:
    """Return the figures of every server as a table of text."""
    lines = [
        "server           load               clients  answers/s   p50 ms   p99 ms  errors  shed"
    ]
    for name, loads in found.items():
        for kind, each in loads.items():
            for load in each:
                offered = (
                    "all it takes" if load.offered_per_s is None else f"{load.offered_per_s:,.0f}/s"
                )
                lines.append(
                    f"{name:16} {kind:6} {offered:12} {load.clients:6} {load.per_s:10,.0f} "
                    f"{load.p50_ms:8.2f} {load.p99_ms:8.2f} {load.errors:7} {load.shed:5}"
                )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its figures; 1 if a server gave another probability."""
    parser = argparse.ArgumentParser(description="Ontime and its peers on the same requests.")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of each load")
    parser.add_argument("--hold", type=float, default=300, help="seconds at 10,000 a minute")
    parser.add_argument("--only", nargs="+", help="these servers (default: all)")
    arguments = parser.parse_args(argv)
    home = load_settings().home
    folder = home / "bench" / "serving"
    try:
        inputs = make_inputs(folder)
        every = servers(inputs, copied_home(home, folder / "home"))
        found: dict[str, dict[str, list[Load]]] = {}
        answers: dict[str, list[float]] = {}
        for server in every:
            if arguments.only and server.name not in {OURS, *arguments.only}:
                continue
            print(f"{server.name} ...", flush=True)
            found[server.name], answers[server.name] = measure(
                server, folder, seconds=arguments.seconds, hold_s=arguments.hold
            )
    except OntimeError as error:
        print(f"bench-serving: {error}", file=sys.stderr)
        return 1
    measured = {
        name: {kind: [asdict(one) for one in each] for kind, each in loads.items()}
        for name, loads in found.items()
    }
    (folder / "loads.json").write_text(json.dumps(measured, indent=1), encoding="utf-8")
    figures = figures_of(found, answers)
    print(f"\n{table_of(found)}\n")
    for name, value in figures.items():
        print(f"{name} = {value}")
    draw(found, ROOT / "docs" / "benchmarks")
    print(f"bench-serving: figures in {write_figures(home, 'bench-serving', figures)}")
    return 0 if figures["equal"] else 1


if __name__ == "__main__":
    sys.exit(main())
