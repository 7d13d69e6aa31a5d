"""`make bench-run`: how long a person waits, beside a plain script of Spark on the same file.

The real year without its last day is run from source files to a released model in a fresh home;
then nothing is new, the last day arrives, and a month is corrected. Every figure is of processes as
a person starts them, sessions and imports included. What it showed is in `benchmarks/README.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from benchmarks.processes import MEGABYTE, watch
from benchmarks.report import machine
from benchmarks.whole_run.picture import draw
from benchmarks.whole_run.world import World, fresh_world
from ontime_base.errors import OntimeError
from pipelines.cli import app
from pipelines.runtime.figures import write_figures
from pipelines.settings import load_settings
from serving.docs.openapi import EXAMPLE_REQUEST
from serving.server.listening import reserve_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parents[1]
BIN: Final = ROOT / ".venv" / "bin"
PICTURE: Final = ROOT / "docs" / "benchmarks" / "run-time.svg"
_LIMIT_S: Final = 3600
_SAMPLE_S: Final = 1.0  # a look at the memory of Java takes some hundredths of a second
_EMPTY: Final = "name: empty\nentry_points:\n  main:\n    command: python -c pass\n"


class BenchError(OntimeError):
    """A measured command failed."""


class Bench:
    """Measures commands in one world.

    Args:
        world: A fresh one.
        repeats: How often short commands are measured; their median counts.
    """

    def __init__(self, world: World, repeats: int) -> None:
        self.world = world
        self.repeats = repeats
        self.seconds: dict[str, dict[str, float]] = {}
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        self._environment = {**os.environ, **world.environment, "PATH": path}

    def first_run(self) -> dict[str, float]:
        """Run the plain script, then everything in the fresh home; return the figures of both."""
        year = str(self.world.file("flights", "year"))
        plain_s = self._plain("plain script", year)
        watched_s, peak, _ = self._watched("first run", "ontime", "run")
        figures = self.world.home / "figures" / "run.json"
        stages = json.loads(figures.read_text(encoding="utf-8"))["seconds_by_stage"]
        self.seconds["first run"] = stages | {"start": watched_s - sum(stages.values())}
        return {
            "plain_s": round(plain_s, 1),
            "ingest_vs_plain": round(stages["ingest"] / plain_s, 2),
            "run_vs_plain": round(watched_s / plain_s, 2),
            "peak_mb": round(peak / MEGABYTE),
        }

    def rerun(self) -> dict[str, float]:
        """Run again with nothing new, by both commands, beside an empty project."""
        empty = self.world.folder / "empty"
        empty.mkdir()
        (empty / "MLproject").write_text(_EMPTY, encoding="utf-8")
        project = ("--env-manager=local",)
        ours, mlflow, nothing = [], [], []
        for _ in range(self.repeats):
            ours.append(self._timed("ontime", "run"))
            nothing.append(self._timed("mlflow", "run", str(empty), *project))
            mlflow.append(self._timed("mlflow", "run", ".", *project))
        rerun, over = statistics.median(ours), statistics.median(mlflow)
        empty_s = statistics.median(nothing)
        self.seconds["rerun"] = {"ontime run": rerun}
        self.seconds["mlflow run ."] = {"empty project": empty_s, "over it": over - empty_s}
        return {
            "rerun_s": round(rerun, 2),
            "mlflow_rerun_over_empty_s": round(over - empty_s, 2),
        }

    def new_day(self) -> dict[str, float]:
        """Deliver the last day, to the plain script as well; then correct a month."""
        flights = self.world.deliver_day()
        plain_s = self._plain("plain append", str(self.world.file("flights", "day")))
        day_s = self._new_data("new day", flights)
        corrected = self.world.deliver_corrected_month()
        month_s = self._new_data("corrected month")
        print(f"  {flights} new flights in {day_s:.1f} s, {corrected} corrected in {month_s:.1f} s")
        return {"new_day_vs_plain": round(day_s / plain_s, 2)}

    def help(self) -> dict[str, float]:
        """Ask every command for its help; the slowest counts."""
        slowest = max(
            statistics.median(self._timed("ontime", *path, "--help") for _ in range(self.repeats))
            for path in _commands(typer.main.get_command(app))
        )
        return {"help_ms": round(slowest * 1000)}

    def first_answer(self) -> dict[str, float]:
        """Start the service, and ask until it answers a prediction."""
        seconds = [self._first_answer() for _ in range(self.repeats)]
        return {"first_answer_s": round(statistics.median(seconds), 2)}

    def _first_answer(self) -> float:
        with reserve_port("127.0.0.1", 0) as reserved:
            port = reserved.getsockname()[1]
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/model/predict",
            data=json.dumps(EXAMPLE_REQUEST).encode(),
            headers={"content-type": "application/json"},
        )
        started = time.perf_counter()
        with self._serving(port) as process:
            while True:
                try:
                    with urllib.request.urlopen(request, timeout=5):  # noqa: S310 - our own
                        return time.perf_counter() - started
                except urllib.error.HTTPError as error:
                    raise BenchError(
                        f"The service answered {error.code}: {error.read()!r}."
                    ) from error
                except OSError:
                    if process.poll() is not None:
                        raise BenchError("The service did not start.") from None
                    time.sleep(0.01)

    @contextmanager
    def _serving(self, port: int) -> Iterator[subprocess.Popen[bytes]]:
        command = [str(BIN / "ontime"), "serve", "--port", str(port)]
        with subprocess.Popen(
            command, cwd=ROOT, env=self._environment, stdout=subprocess.DEVNULL
        ) as process:
            try:
                yield process
            finally:
                process.terminate()

    def _new_data(self, name: str, flights: int | None = None) -> float:
        seconds, _, output = self._watched(name, "python", "-m", "benchmarks.whole_run.new_data")
        stages = json.loads(output.splitlines()[-1])
        new = stages.pop("new")
        if flights is not None and new != flights:
            raise BenchError(f"{name}: {new} flights were taken in, and not {flights}.")
        self.seconds[name] = stages | {"start": seconds - sum(stages.values())}
        return seconds

    def _plain(self, name: str, file: str) -> float:
        folder = str(self.world.folder / "plain")
        script = "benchmarks.whole_run.plain_script"
        seconds, _, _ = self._watched(name, "python", "-m", script, file, folder)
        self.seconds[name] = {name: seconds}
        return seconds

    def _watched(self, name: str, program: str, *arguments: str) -> tuple[float, int, str]:
        """Run a long command; return its seconds, its peak memory, and what it printed."""
        log = self.world.folder / f"{name.replace(' ', '-')}.log"
        watched = watch(
            [str(BIN / program), *arguments],
            log=log,
            environment=self._environment,
            limit_s=_LIMIT_S,
            shared_once=True,
            sample_s=_SAMPLE_S,
        )
        if watched.ending != "done":
            raise BenchError(f"{name}: {watched.ending}; its output is in {log} and beside it.")
        peak = watched.peak_bytes
        print(f"  {name}: {watched.seconds:.1f} s, {peak / MEGABYTE:,.0f} MB", flush=True)
        return watched.seconds, peak, watched.output

    def _timed(self, program: str, *arguments: str) -> float:
        started = time.perf_counter()
        done = subprocess.run(
            [BIN / program, *arguments],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise BenchError(f"{program} {' '.join(arguments)} failed: {done.stderr[-500:]}")
        return time.perf_counter() - started


def table_of(seconds: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return the table for a person: what was waited for, its seconds, and where they went."""
    lines = ["| what | seconds | of which |", "|---|---|---|"]
    for name, parts in seconds.items():
        split = ", ".join(f"{part} {value:.1f}" for part, value in parts.items())
        lines.append(f"| {name} | {sum(parts.values()):.1f} | {split if len(parts) > 1 else ''} |")
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its figures and picture."""
    parser = argparse.ArgumentParser("python -m benchmarks.run_bench", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="of commands that take seconds")
    parser.add_argument("--keep", action="store_true", help="keep the home that it made")
    arguments = parser.parse_args(argv)
    home = load_settings().home
    bench = Bench(fresh_world(home / "bench" / "run"), arguments.repeats)
    measured: dict[str, Any] = {}
    for part in (bench.first_run, bench.rerun, bench.help, bench.first_answer, bench.new_day):
        measured |= part()
    figures = {name: measured[name] for name in _FIGURES} | {"test_s": _test_seconds(home)}
    path = write_figures(home, "bench-run", figures)
    draw(bench.seconds, PICTURE)
    print("\n".join([*table_of(bench.seconds), ""]))
    print("\n".join(f"{name} = {value}" for name, value in figures.items()))
    print(f"bench-run: {machine()}, load average {os.getloadavg()[2]:.1f}; figures in {path}")
    if not arguments.keep:
        bench.world.remove()
    return 0


_FIGURES: Final = (
    "plain_s",
    "ingest_vs_plain",
    "run_vs_plain",
    "rerun_s",
    "mlflow_rerun_over_empty_s",
    "new_day_vs_plain",
    "help_ms",
    "first_answer_s",
    "peak_mb",
)


def _commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of a group of commands and of all below it."""
    yield path
    for name, each in getattr(group, "commands", {}).items():
        yield from _commands(each, (*path, name))


def _test_seconds(home: Path) -> float | None:
    """Return the seconds of the last `make test`; None if there was none."""
    try:
        figures = json.loads((home / "figures" / "test.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return float(figures["seconds"])


if __name__ == "__main__":
    sys.exit(main())
