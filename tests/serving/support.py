"""Small real artifacts for the tests of serving: an ONNX model, its package, its release."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import re
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec
import numpy as np
import onnx
import uvloop
from onnx import TensorProto, helper, numpy_helper

from features.contract.feature_contract import Contract, contract_of, to_json
from serving.http.api import Api
from serving.models.model_package import (
    CARD,
    CONTRACT,
    MODEL,
    SELF_TEST,
    SelfTest,
    list_versions,
    write_model_package,
)
from serving.models.release_document import (
    ReleaseDocument,
    ReleasedVersion,
    read_release,
    write_release,
)
from serving.online.network import Network, write_network
from serving.server.listening import reserve_port
from serving.service.assembly import open_stores
from serving.service.prediction_service import PredictionService
from serving.settings import AccessSettings, LimitSettings, ServingSettings
from serving.stores.artifacts.local import FolderArtifactStore
from serving.stores.errors import StoreError
from serving.stores.history.sqlite import SqlitePredictionHistory
from serving.stores.online.sqlite import SqliteOnlineStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from serving.stores.artifacts.protocol import ArtifactStore
    from serving.stores.history.protocol import PredictionRecord

ROOT = Path(__file__).resolve().parents[2]
MODEL_NAME = "ontime"
THRESHOLD = 0.3
OPEN = ServingSettings(
    access=AccessSettings(required=False), limits=LimitSettings(requests_per_second=0)
)
# As in development: a request may say as of when, and load any version.
SETTINGS = msgspec.structs.replace(
    OPEN, allow_as_of=True, load_any=True, follow_seconds=0.05, max_body_bytes=2048
)
HORIZON_MIN = 120
A_FLIGHT = {
    "carrier": "UA",
    "flight_number": 642,
    "origin": "JFK",
    "destination": "SFO",
    "scheduled_departure": "2013-12-31T10:25",
    "scheduled_arrival": "2013-12-31T14:04",
    "tail_number": "N597UA",
}
NETWORK = Network(
    time_zones={
        "JFK": "America/New_York",
        "EWR": "America/New_York",
        "SFO": "America/Los_Angeles",
        "PHX": "America/Phoenix",
        "SJU": "America/Puerto_Rico",
    },
    origins=["EWR", "JFK"],
    distances_mi={"JFK-SFO": 2586, "EWR-PHX": 2133},
)


def a_contract() -> Contract:
    return contract_of(HORIZON_MIN, THRESHOLD)


def a_model(contract: Contract, probability: float) -> bytes:
    """Return a model that gives this probability, moved a little by the numbers it sees."""
    double, string = TensorProto.DOUBLE, TensorProto.STRING
    weight = numpy_helper.from_array(np.array(1e-6), "weight")
    bias = numpy_helper.from_array(np.array(math.log(probability / (1 - probability))), "bias")
    zero = numpy_helper.from_array(np.array(0.0), "zero")
    axis = numpy_helper.from_array(np.array([1], dtype=np.int64), "axis")
    nodes = [
        helper.make_node("IsNaN", ["numeric"], ["absent"]),
        helper.make_node("Where", ["absent", "zero", "numeric"], ["filled"]),
        helper.make_node("Sin", ["filled"], ["bounded"]),
        helper.make_node("ReduceSum", ["bounded", "axis"], ["total"], keepdims=0),
        helper.make_node("Mul", ["total", "weight"], ["moved"]),
        helper.make_node("Add", ["moved", "bias"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["probability"]),
    ]
    inputs = [
        helper.make_tensor_value_info("numeric", double, ["N", len(contract.numeric)]),
        helper.make_tensor_value_info("categorical", string, ["N", len(contract.categorical)]),
    ]
    outputs = [helper.make_tensor_value_info("probability", double, ["N"])]
    graph = helper.make_graph(nodes, "small", inputs, outputs, [weight, bias, zero, axis])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    model.ir_version = 10
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def a_self_test(contract: Contract, probability: float, rows: int = 16) -> SelfTest:
    """Return rows of missing values only, for which the model of `a_model` gives `probability`."""
    return SelfTest([[None] * len(contract.features)] * rows, [probability] * rows)


def package_files(probability: float = 0.25, contract: Contract | None = None) -> dict[str, bytes]:
    contract = contract or a_contract()
    return {
        MODEL: a_model(contract, probability),
        CONTRACT: to_json(contract),
        CARD: b"<html><title>card</title></html>",
        SELF_TEST: msgspec.json.encode(a_self_test(contract, probability)),
    }


def publish(
    store: ArtifactStore,
    version: str,
    probability: float = 0.25,
    files: Mapping[str, bytes] | None = None,
) -> str:
    """Write a package and return the checksum of its manifest."""
    return write_model_package(
        store,
        model_name=MODEL_NAME,
        version=version,
        run_id="run",
        created_at="2014-01-01T00:00:00Z",
        files=dict(files or package_files(probability)),
    )


def release(
    store: ArtifactStore,
    champion: ReleasedVersion | None,
    challenger: ReleasedVersion | None = None,
    *,
    weight: float = 0.0,
) -> None:
    """Make the next release document."""
    before = read_release(store)
    document = ReleaseDocument(
        revision=before.document.revision + 1 if before else 1,
        champion=champion,
        challenger=challenger,
        challenger_weight=weight,
        ledger_head="0" * 64,
        updated_at="2014-01-01T00:00:00Z",
    )
    write_release(store, document, after=before.etag if before else None)


def release_version(
    store: ArtifactStore, version: str, probability: float = 0.25
) -> ReleasedVersion:
    """Publish a version if it is new, and make it champion."""
    if version in list_versions(store, model_name=MODEL_NAME):
        raise AssertionError(f"version {version} is there already")
    released = ReleasedVersion(version, publish(store, version, probability))
    release(store, released)
    return released


def a_home(home: Path) -> Path:
    """Fill a home folder as `make run` leaves it: a released version 1, and the network."""
    release_version(FolderArtifactStore(home / "store"), "1")
    online = SqliteOnlineStore(home / "serving.db")
    write_network(online, NETWORK)
    online.close()
    return home


def a_service(
    home: Path,
    options: ServingSettings | None = None,
    **replaced: Any,
) -> PredictionService:
    """Return a service over the stores of a home, some of which may be replaced by name."""
    options = options or OPEN
    stores = dataclasses.replace(open_stores(options, home), **replaced)
    service = PredictionService(options, stores)
    service.refresh()
    return service


class SlowHistory(SqlitePredictionHistory):
    """A history of a home whose writes wait until `go` is set; `begun` is set once one waits."""

    def __init__(self, home: Path) -> None:
        super().__init__(home / "serving.db")
        self.begun, self.go = threading.Event(), threading.Event()

    def append(self, records: Sequence[PredictionRecord]) -> None:
        self.begun.set()
        assert self.go.wait(20)
        super().append(records)


class FullHistory(SqlitePredictionHistory):
    """A history of a home that takes nothing."""

    def __init__(self, home: Path) -> None:
        super().__init__(home / "serving.db")

    def append(self, records: Sequence[PredictionRecord]) -> None:
        raise StoreError(f"the disk is full: no space for {len(records)}")


class Connection:
    """One connection to a server, byte by byte."""

    def __init__(self, url: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self.read = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.read.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], Any]:
        """Read one answer: status, headers and JSON body."""
        status = int(self.read.readline().split()[1])
        headers = {}
        while line := self.read.readline().strip():
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        body = self.read.read(int(headers["content-length"]))
        return status, headers, json.loads(body) if body else None

    def closed_after(self) -> float:
        """Return after how many seconds the server closed the connection, without an answer."""
        started = time.monotonic()
        assert self.read.read(1) == b""
        return time.monotonic() - started


def body_of(**changes: object) -> bytes:
    """Return the request for `A_FLIGHT` as JSON, with fields changed; `...` leaves one out."""
    fields = {**A_FLIGHT, **changes}
    return json.dumps({k: v for k, v in fields.items() if v is not ...}).encode()


@contextlib.contextmanager
def running_server(service: PredictionService | Api) -> Iterator[str]:
    """Serve in a thread on a free port; yields the address."""
    from serving.server.http_server import HttpServer  # noqa: PLC0415 - not every test needs FastAPI

    api = service if isinstance(service, Api) else Api(service)
    ready = threading.Event()
    with reserve_port("127.0.0.1", 0) as reserved, ThreadPoolExecutor(1) as pool:
        server = HttpServer(api, reserved)
        serving = pool.submit(lambda: uvloop.run(server.run(ready.set)))
        serving.add_done_callback(lambda _: ready.set())
        assert ready.wait(20)
        try:
            yield f"http://127.0.0.1:{server.port}"
        finally:
            server.stop()
            serving.result(20)


def wait_until(true: Callable[[], bool], seconds: float = 20) -> None:
    """Return once something is so."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@contextlib.contextmanager
def serving_process(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run the command that `make serve` runs on a free port; yields the process and the address."""
    environment = {**os.environ, "ONTIME_HOME": str(home), "ONTIME_ENV": "dev"}
    command = [sys.executable, "-m", "pipelines.cli", "serve", "--port", "0"]
    output = home / "serve.log"  # a full pipe would block the server
    with (
        output.open("w") as log,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            yield process, _address_in(output, process)
        finally:
            process.kill()


def _address_in(output: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        text = output.read_text()
        if banner := re.search(r"^Ontime answers on (\S+) .*\n.*\n.*\n", text, re.MULTILINE):
            return banner[1]
        time.sleep(0.02)
    raise AssertionError(f"the server did not start: {output.read_text()}")
