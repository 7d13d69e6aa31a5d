"""A service in a process of its own over a copy of the released model, and clients of it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from serving.history.spool import FileSpool
from serving.models.release_document import RELEASE_KEY, read_release
from serving.stores.artifacts.local import FolderArtifactStore
from serving.stores.history.sqlite import SqlitePredictionHistory
from serving.stores.online.sqlite import SqliteOnlineStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipelines.runtime.context import RunContext

JSON: Final = "application/json"
FLIGHT: Final[Mapping[str, object]] = {
    "carrier": "UA",
    "flight_number": 642,
    "origin": "JFK",
    "destination": "SFO",
    "scheduled_departure": "2013-12-31T10:25",
    "scheduled_arrival": "2013-12-31T14:04",
    "tail_number": "N597UA",
}
"""A flight that every case may ask for."""

_ROOT: Final = Path(__file__).resolve().parents[3]
_BANNER: Final = re.compile(r"^Ontime answers on http://127\.0\.0\.1:(\d+) ", re.MULTILINE)
_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 30
_ANSWER_SECONDS: Final = 30.0
_DATABASE: Final = "serving.db"
# Stores of the copy are embedded, whatever the home's configuration names.
_EMBEDDED: Final = {
    "serving.store_uri": "",
    "serving.stores.history": "sqlite",
    "serving.stores.online": "sqlite",
    "serving.stores.jobs": "sqlite",
    "serving.stores.queue": "sqlite",
    "serving.stores.fallback": "spool",
}


class NotHeldError(Exception):
    """The service did not do what a case requires."""


def require(held: object, text: str) -> None:
    """Raise unless something holds.

    Args:
        held: Whether it does.
        text: What was found instead.

    Raises:
        NotHeldError: It does not.
    """
    if not held:
        raise NotHeldError(text)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the service.

    Attributes:
        status: HTTP status.
        headers: Values by names in lower case.
        body: The bytes.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """Return the decoded body."""
        return json.loads(self.body)

    def __str__(self) -> str:
        """Return status and the start of the body, for the text of a failure."""
        return f"{self.status} {self.body[:200].decode('utf-8', 'replace')}"


class Connection:
    """One connection to the service, byte by byte.

    Args:
        port: Of the service, on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_SECONDS)
        self._read = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._read.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._socket.sendall(data)

    def answer(self) -> Answer:
        """Return the next answer, which has a content length.

        Raises:
            NotHeldError: The connection was closed instead.
        """
        line = self._read.readline()
        require(line, "the connection was closed without an answer")
        headers = {}
        while text := self._read.readline().strip():
            name, _, value = text.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        body = self._read.read(int(headers["content-length"]))
        return Answer(int(line.split()[1]), headers, body)

    def is_closed_within(self, seconds: float) -> bool:
        """Return whether the service closes the connection in time; skips what it still sends."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self._socket], [], [], left)[0]:
                try:
                    if not self._socket.recv(65_536):
                        return True
                except ConnectionError:
                    return True
        return False


@dataclass
class RunningService:
    """A running service.

    Attributes:
        process: The process of `ontime serve`.
        port: It listens there, on 127.0.0.1.
        home: Its own home folder.
        key: An API key that may do everything.
        acknowledged: Ids of the predictions that it has answered or accepted.
    """

    process: subprocess.Popen[bytes]
    port: int
    home: Path
    key: str
    acknowledged: set[str] = field(default_factory=set)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the answer to a request with the key; headers given replace the usual ones."""
        sent = {"authorization": f"Bearer {self.key}", **({"content-type": JSON} if body else {})}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_ANSWER_SECONDS)
        try:
            connection.request(method, path, body, {**sent, **(headers or {})})
            found = connection.getresponse()
            read = {name.lower(): value for name, value in found.getheaders()}
            return Answer(found.status, read, found.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        """Return the answer to a GET."""
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, content: object, **headers: str) -> Answer:
        """Return the answer to a POST of JSON, or of bytes as they are."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self.ask("POST", path, body, headers)

    def predict(self, **changes: object) -> Answer:
        """Return the answer for `FLIGHT` with fields changed; notes what is acknowledged."""
        answer = self.post("/model/predict", {**FLIGHT, **changes})
        if answer.status == http.client.OK:
            self.acknowledged.add(answer.json()["prediction_id"])
        return answer

    def connect(self) -> Connection:
        """Return a new connection."""
        return Connection(self.port)

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of a metric that have these labels."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        total = 0.0
        for line in self.get("/metrics").body.decode().splitlines():
            sample, _, value = line.rpartition(" ")
            if sample.partition("{")[0] == name and all(each in sample for each in wanted):
                total += float(value)
        return total

    def log(self) -> str:
        """Return everything that the process has printed."""
        return (self.home / "serve.log").read_text(encoding="utf-8")

    def memory_mb(self, *, peak: bool = False) -> float:
        """Return the resident memory, or its peak since `reset_peak`."""
        name = "VmHWM" if peak else "VmRSS"
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
        require(found, f"/proc shows no {name}: the memory is measured on Linux alone")
        assert found  # noqa: S101 - as just required
        return int(found[1]) / 1024

    def reset_peak(self) -> None:
        """Let the peak of the resident memory start from now."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5", encoding="utf-8")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop the process by a signal, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(_STOP_SECONDS)

    def lost(self) -> set[str]:
        """Return the acknowledged predictions that are not in the stores of a stopped service."""
        history = SqlitePredictionHistory(self.home / _DATABASE)
        missing = {each for each in self.acknowledged if history.get(each) is None}
        history.close()
        spool = FileSpool(self.home / "spool")
        while missing and (segment := spool.take()) is not None:
            missing -= {record.prediction_id for record in segment.records}
            segment.complete()
        return missing


def wait_until(holds: Any, text: str, *, seconds: float = 20) -> None:  # noqa: ANN401 - of no arguments
    """Return once something holds.

    Args:
        holds: Returns whether it does.
        text: What did not happen.
        seconds: For how long to wait.

    Raises:
        NotHeldError: It did not in time.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        require(time.monotonic() < deadline, f"{text} within {seconds:g} s")
        time.sleep(0.02)


def copy_release(context: RunContext, home: Path) -> None:
    """Copy what the released versions need to answer into a new home: packages, ledger, items."""
    found = read_release(context.artifacts)
    require(found, "No model is released: run `make run` first, which trains and releases one.")
    assert found  # noqa: S101 - as just required
    name, document = context.settings.serving.model_name, found.document
    released = [each.version for each in (document.champion, document.challenger) if each]
    target = FolderArtifactStore(home / "store")
    for prefix in ("ledger/", *(f"models/{name}/{version}/" for version in released)):
        for key in context.artifacts.list(prefix):
            target.create(key, context.artifacts.get(key).body)
    target.create(RELEASE_KEY, context.artifacts.get(RELEASE_KEY).body)
    _copy_items(context.settings.home / _DATABASE, home / _DATABASE)


def _copy_items(source: Path, target: Path) -> None:
    """Copy the online items of a SQLite file, without the prediction history beside them."""
    require(
        source.exists(), f"{source} does not exist: hostile cases need an embedded online store"
    )
    SqliteOnlineStore(target).close()
    with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy:
        copy.execute("ATTACH ? AS source", (f"file:{source}?mode=ro",))
        copy.execute(
            "INSERT INTO online_items (key, body, tag) "
            "SELECT key, body, tag FROM source.online_items"
        )


@contextlib.contextmanager
def running_service(
    home: Path,
    *,
    key: str,
    settings: Mapping[str, object],
    environment: Mapping[str, str],
) -> Iterator[RunningService]:
    """Run `ontime serve` on a free port over a home; it is killed at the end unless it has ended.

    Args:
        home: A copy made by `copy_release`.
        key: An API key of `environment`.
        settings: Values by the keys of conf/.
        environment: Variables added to those of this process.
    """
    overrides = {**_EMBEDDED, **settings}
    command = [sys.executable, "-m", "pipelines.cli", "serve", "--host", "127.0.0.1", "--port", "0"]
    command += [f"--set={name}={value}" for name, value in overrides.items()]
    output = home / "serve.log"
    with (
        output.open("ab") as log,
        subprocess.Popen(  # noqa: S603 - our own command
            command,
            cwd=_ROOT,
            env={**os.environ, "ONTIME_HOME": str(home), **environment},
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            yield RunningService(process, _port_in(output, process), home, key)
        finally:
            if process.poll() is None:
                process.kill()


def _port_in(output: Path, process: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if found := _BANNER.findall(output.read_text(encoding="utf-8")):
            return int(found[-1])
        time.sleep(0.02)
    raise NotHeldError(f"the service did not start: {output.read_text(encoding='utf-8')[-500:]}")


def run_ontime(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command on a home, and return its exit code and output."""
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "pipelines.cli", *arguments],
        cwd=_ROOT,
        env={**os.environ, "ONTIME_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=_START_SECONDS,
        check=False,
    )


def request_of(method: str, path: str, headers: Sequence[str] = (), body: bytes = b"") -> bytes:
    """Return the bytes of a request; a body comes with its length and content type."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", *headers]
    if body:
        lines += [f"content-type: {JSON}", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
