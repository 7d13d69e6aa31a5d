"""Starts, queries and stops each server: one worker each, as its documentation recommends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ontime_base.errors import OntimeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from benchmarks.serving.inputs import Inputs

ROOT: Final = Path(__file__).resolve().parent.parent.parent
_PEERS: Final = Path(__file__).with_name("peers")
_START_LIMIT_S: Final = 120
_STOP_LIMIT_S: Final = 20


class ServerError(OntimeError):
    """A server did not start, or did not answer as it should."""


@dataclass(frozen=True)
class Server:
    """A server to be measured.

    Attributes:
        name: Shown in the report.
        command: Starts it on a port.
        path: Of the route that predicts.
        bodies: What it is sent, one a flight.
        probability: Reads the probability from an answer.
        environment: Added to this process's.
        folder: Where it is started.
    """

    name: str
    command: Callable[[int], Sequence[str]]
    path: str
    bodies: list[dict[str, Any]]
    probability: Callable[[Any], float]
    environment: Mapping[str, str]
    folder: Path = ROOT


def servers(inputs: Inputs, home: Path) -> list[Server]:
    """Return Ontime and its peers.

    Args:
        inputs: Model and flights.
        home: The home that Ontime serves from.
    """
    model = {"PEER_MODEL": str(inputs.model)}
    names = list(inputs.rows[0])
    split = [
        {"dataframe_split": {"columns": names, "data": [[row[name] for name in names]]}}
        for row in inputs.rows
    ]
    _write_mlserver_settings(inputs.model)
    return [
        Server(
            "ontime",
            lambda port: [sys.executable, "-m", "pipelines.cli", "serve", "--port", str(port)],
            "/model/predict",
            inputs.requests,
            lambda answer: float(answer["probability"]),
            {"ONTIME_HOME": str(home), "ONTIME_ENV": "dev"},
        ),
        Server(
            "fastapi_sklearn",
            lambda port: [
                sys.executable, "-m", "uvicorn", "--app-dir", str(_PEERS), "fastapi_sklearn:app",
                "--port", str(port), "--log-level", "warning",
            ],
            "/predict",
            inputs.rows,
            lambda answer: float(answer["probability"]),
            model,
        ),
        Server(
            "mlflow",
            lambda port: [
                str(Path(sys.executable).with_name("mlflow")), "models", "serve",
                "-m", f"models:/ontime/{inputs.version}", "--env-manager", "local",
                "--port", str(port), "--workers", "1",
            ],
            "/invocations",
            split,
            lambda answer: float(_first(answer["predictions"])),
            {
                "MLFLOW_TRACKING_URI": inputs.registry,
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            },
        ),
        Server(
            "bentoml",
            lambda port: [
                str(ROOT / ".venv-bentoml" / "bin" / "bentoml"), "serve", "bento_service:Flights",
                "--working-dir", str(_PEERS), "--port", str(port), "--host", "127.0.0.1",
            ],
            "/predict",
            [{"flight": row} for row in inputs.rows],
            lambda answer: float(answer["probability"]),
            {**model, "BENTOML_DO_NOT_TRACK": "true", "BENTOML_HOME": str(inputs.model / "bento")},
        ),
        Server(
            "mlserver",
            lambda _: [
                str(ROOT / ".venv-mlserver" / "bin" / "mlserver"), "start", str(inputs.model),
            ],
            "/v2/models/flights/infer",
            [_v2(row) for row in inputs.rows],
            lambda answer: float(answer["outputs"][0]["data"][0]),
            {**model, "PYTHONPATH": str(_PEERS), "MLSERVER_PARALLEL_WORKERS": "0"},
            inputs.model,
        ),
    ]  # fmt: skip


@contextlib.contextmanager
def running(server: Server, log: Path) -> Iterator[str]:
    """Run a server on a free port; the value is the address of its route.

    Raises:
        ServerError: It does not answer its first request.
    """
    port = _free_port()
    environment = {"PYTHONPATH": str(ROOT), **os.environ, **server.environment}
    environment |= {
        "MLSERVER_HTTP_PORT": str(port),
        "MLSERVER_GRPC_PORT": str(_free_port()),
        "MLSERVER_METRICS_PORT": str(_free_port()),
        "MLSERVER_HOST": "127.0.0.1",
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            server.command(port),
            cwd=server.folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        url = f"http://127.0.0.1:{port}{server.path}"
        try:
            _await_answer(server, url, process, log)
            yield url
        finally:
            _stop(process)


def ask(server: Server, url: str, body: dict[str, Any]) -> float:
    """Return the probability that a server answers with."""
    request = urllib.request.Request(  # noqa: S310 - our own address
        url, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - see above
        return server.probability(json.load(answer))


def _await_answer(server: Server, url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < until and process.poll() is None:
        try:
            ask(server, url, server.bodies[0])
        except (OSError, ValueError):
            time.sleep(0.3)
        else:
            return
    last = (log.read_text(errors="replace").strip().splitlines() or ["no output"])[-1]
    raise ServerError(f"{server.name} did not answer: {last} (its log: {log})")


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_STOP_LIMIT_S)
            return


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _first(value: Any) -> Any:
    while isinstance(value, (list, dict)):
        value = value[-1] if isinstance(value, list) else next(iter(value.values()))
    return value


def _v2(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as the V2 inference protocol has it: one input a column."""
    inputs = [
        {
            "name": name,
            "shape": [1, 1],
            "datatype": "BYTES" if isinstance(value, str) else "FP64",
            "data": [value],
            **({"parameters": {"content_type": "str"}} if isinstance(value, str) else {}),
        }
        for name, value in row.items()
    ]
    return {"parameters": {"content_type": "pd"}, "inputs": inputs}


def _write_mlserver_settings(folder: Path) -> None:
    settings = {
        "name": "flights",
        "implementation": "mlserver_runtime.Flights",
        "parameters": {"uri": str(folder / "model.joblib")},
    }
    (folder / "model-settings.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "settings.json").write_text(json.dumps({"debug": False}), encoding="utf-8")
