"""`make lambda-budget`: size, cold start and warm time of the real bundle against a budget.

The function is the bundle in the real runtime client, on one core with 512 MB of address space,
beside an EMULATED Runtime API and an EMULATED AWS (moto) on the same machine. A cold start is
counted from the start of the process to its first answered prediction: release, package, self-test,
look-up, score and written history included. A warm request is measured in the handler with its
stores in files, as the emulated AWS computes longer than the function does; the time with the
emulation is reported as well.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from benchmarks.lambda_runtime import copy_installed
from benchmarks.lambda_starts import MEMORY_MB, measure, measure_mlflow
from benchmarks.lambda_world import bodies, events, world_in_aws, world_in_files
from ontime_base.errors import OntimeError
from pipelines.deploy.lambda_bundle import LIMIT_MB, build_bundle
from pipelines.run import run_pipeline
from pipelines.runtime.console import Console
from pipelines.runtime.context import RunContext
from pipelines.runtime.figures import write_figures
from pipelines.runtime.home_lock import only_run
from pipelines.settings import load_settings
from serving.models.release_document import read_release
from tests.emulated_aws import emulated_aws

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.settings import PipelineSettings

INIT_LIMIT_MS: Final = 500.0
WARM_LIMIT_MS: Final = 3.0
MACHINES: Final = {"x86_64": "x86_64", "aarch64": "arm64"}


class BudgetError(OntimeError):
    """The function is larger or slower than it may be."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, report, write the figures, and return the exit code: 1 if the budget is broken."""
    parser = argparse.ArgumentParser("python -m benchmarks.lambda_budget", description=__doc__)
    parser.add_argument("--starts", type=int, default=15, help="cold starts (default: 15)")
    parser.add_argument("--peer-starts", type=int, default=3, help="of MLflow (default: 3)")
    arguments = parser.parse_args(argv)
    settings = load_settings()
    try:
        _require_release(settings)
        figures = _figures(settings, arguments.starts, arguments.peer_starts)
        print(f"figures: {write_figures(settings.home, 'lambda-budget', figures)}")
        validate_budget(figures)
    except OntimeError as error:
        print(f"lambda-budget: {error}", file=sys.stderr)
        return 1
    return 0


def _figures(settings: PipelineSettings, starts: int, peer_starts: int) -> dict[str, float]:
    with (
        tempfile.TemporaryDirectory() as folder,
        emulated_aws() as aws,
        patch.dict(os.environ, aws.environment),
    ):
        root, log = Path(folder), Path(folder, "function.log")
        bundles = {name: build_bundle(root / "zips", name) for name in MACHINES.values()}
        with zipfile.ZipFile(bundles[MACHINES[platform.machine()]].path) as archive:
            archive.extractall(root / "task")
        runtime = copy_installed(root / "runtime")
        requests = bodies(settings)
        for name in ("files", "disk"):
            (root / name).mkdir()
        worlds = [
            world_in_aws(settings, aws, requests, root / "disk"),
            world_in_files(settings, root / "files"),
        ]
        handed, path = events(requests), [root / "task", runtime]
        in_aws, in_files = (measure(each, path, handed, log, starts=starts) for each in worlds)
        peer = measure_mlflow(*_peer(settings), log, runtime, starts=peer_starts)
    figures = {
        "unzipped_mb": max(each.unzipped_mb for each in bundles.values()),
        "init_ms": in_aws.median("ms"),
        "warm_p50_ms": statistics.median(in_files.warm_ms),
        "init_vs_mlflow": peer.median("ms") / in_aws.median("ms"),
        "init_cpu_ms": in_aws.median("cpu_ms"),
        "init_waited_ms": in_aws.median("waited_ms"),
        "init_worst_ms": max(each.ms for each in in_aws.starts),
        "memory_mb": in_aws.median("memory_mb"),
        "warm_p50_round_trip_ms": statistics.median(in_files.round_trip_ms),
        "warm_cpu_ms": in_files.warm_cpu_ms,
        "aws_warm_p50_ms": statistics.median(in_aws.warm_ms),
        "aws_warm_cpu_ms": in_aws.warm_cpu_ms,
        "files_init_ms": in_files.median("ms"),
        "mlflow_init_ms": peer.median("ms"),
        "mlflow_memory_mb": peer.median("memory_mb"),
    }
    rounded = {name: round(figure, 2) for name, figure in figures.items()}
    print("\n".join(_report(rounded, starts)))
    return rounded


def _report(f: dict[str, float], starts: int) -> list[str]:
    rows = [
        (f["unzipped_mb"], "MB, unpacked", f"at most {LIMIT_MB:.0f}"),
        (f["init_ms"], f"ms cold start, median of {starts}, emulated AWS", "at most 500, aim 350"),
        (f["init_cpu_ms"], "  ms of it computed by the function", ""),
        (f["init_waited_ms"], "  ms of it waited for its core, which others had", ""),
        (f["files_init_ms"], "ms cold start with SQLite and files", ""),
        (f["warm_p50_ms"], "ms warm, in the handler, p50, SQLite", f"at most {WARM_LIMIT_MS:.0f}"),
        (f["aws_warm_p50_ms"], "ms the same, waiting for the emulated AWS twice", ""),
        (f["aws_warm_cpu_ms"], "  ms of it computed by the function", ""),
        (f["memory_mb"], "MB of memory", f"{MEMORY_MB} MB of address space"),
        (f["mlflow_init_ms"], "ms cold start of an MLflow handler, features ready", ""),
        (f["init_vs_mlflow"], "times as fast as that", ""),
    ]
    return [f"{figure:>10,.2f}  {what:<52}{limit}" for figure, what, limit in rows]


def validate_budget(figures: dict[str, float]) -> None:
    """Return if size, start and warm requests are within their budgets.

    Raises:
        BudgetError: One is not; names figure and limit.
    """
    limits = {"unzipped_mb": LIMIT_MB, "init_ms": INIT_LIMIT_MS, "warm_p50_ms": WARM_LIMIT_MS}
    over = [
        f"{name} is {figures[name]:,.2f}, at most {limit:,.0f}"
        for name, limit in limits.items()
        if figures[name] > limit
    ]
    if over:
        raise BudgetError(
            f"The function is over its budget: {'; '.join(over)}. Look at what the bundle holds "
            "and imports; on a busy machine look at init_waited_ms first."
        )


def _require_release(settings: PipelineSettings) -> None:
    with only_run(settings.home), RunContext(settings, Console()) as context:
        if read_release(context.artifacts) is None:
            run_pipeline(context)


def _peer(settings: PipelineSettings) -> tuple[Path, bytes]:
    """Return the champion as MLflow stores it, and an event with the rows of its self-test."""
    with RunContext(settings, Console()) as context:
        release = read_release(context.artifacts)
        assert release is not None
        assert release.document.champion is not None
        version = release.document.champion.version
        run_id = context.registry.get(version).run_id
        files = context.registry.files(version, ("contract.json", "self_test.json"))
        address = context.tracking.client.get_run(run_id).data.tags["ontime.model_uri"]
    model = next((settings.home / "mlartifacts").rglob(f"{address.rpartition('/')[2]}/artifacts"))
    specs = json.loads(files["contract.json"])["features"]
    body = {
        "columns": [each["name"] for each in specs],
        "texts": [each["name"] for each in specs if each["dtype"] == "string"],
        "data": json.loads(files["self_test.json"])["rows"][:1],
    }
    return model, json.dumps({"body": json.dumps(body)}).encode()


if __name__ == "__main__":
    sys.exit(main())
