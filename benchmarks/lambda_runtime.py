"""An EMULATION of AWS Lambda around one function: its Runtime API, over HTTP, for awslambdaric.

The process of the function is the real runtime client; the host here sends it events and receives
its responses as documented. Lambda's own scheduling, network and disk are not emulated.
"""

from __future__ import annotations

import os
import queue
import resource
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_API = "/2018-06-01/runtime"
_TIMEOUT_S = 60.0
RUNTIME = ("awslambdaric", "simplejson", "snapshot-restore-py")


class InvocationError(Exception):
    """The function failed, or did not answer in time."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to an event.

    Attributes:
        body: What the handler returned, as the runtime client sent it.
        ms: Milliseconds from the event to the answer, as the host saw them.
    """

    body: bytes
    ms: float


@dataclass(slots=True)
class _Waiting:
    """An event on its way: its answer, and when it came."""

    event: bytes
    done: threading.Event
    body: bytes = b""
    failed: bool = False
    at: float = 0.0


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Say nothing: a function that is stopped breaks off its connection."""


class RuntimeHost:
    """Serves the Runtime API on a free port of 127.0.0.1 to one function."""

    def __init__(self) -> None:
        self._events: queue.Queue[tuple[str, _Waiting]] = queue.Queue()
        self._open: dict[str, _Waiting] = {}
        self._failed_start = ""
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def address(self) -> str:
        """Host and port, for `AWS_LAMBDA_RUNTIME_API`."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def invoke(self, event: bytes, *, started: float | None = None) -> Answered:
        """Hand an event to the function and wait for its answer.

        Args:
            event: JSON.
            started: From when milliseconds are counted (`time.perf_counter`); by default from now.

        Raises:
            InvocationError: It failed, could not start, or did not answer within a minute.
        """
        waiting = _Waiting(event, threading.Event())
        began = time.perf_counter() if started is None else started
        self._events.put((f"{time.time_ns():032x}", waiting))
        if not waiting.done.wait(_TIMEOUT_S):
            raise InvocationError(self._failed_start or "no answer within a minute")
        if waiting.failed:
            raise InvocationError(waiting.body.decode(errors="replace"))
        return Answered(waiting.body, (waiting.at - began) * 1000)

    def next_event(self) -> tuple[str, bytes]:
        """Return the next event with its id; waits for it."""
        request_id, waiting = self._events.get()
        self._open[request_id] = waiting
        return request_id, waiting.event

    def take(self, request_id: str, body: bytes, *, failed: bool) -> None:
        """Accept the response to an event, or its error."""
        waiting = self._open.pop(request_id)
        waiting.at = time.perf_counter()
        waiting.body, waiting.failed = body, failed
        waiting.done.set()

    def could_not_start(self, body: bytes) -> None:
        """Take the error of a function that failed before its first event."""
        self._failed_start = body.decode(errors="replace")
        while True:
            try:
                _, waiting = self._events.get(timeout=1)
            except queue.Empty:
                return
            waiting.body, waiting.failed = body, True
            waiting.done.set()


def _handler_of(host: RuntimeHost) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body in one send: two small ones wait for each other

        def do_GET(self) -> None:
            request_id, event = host.next_event()
            headers = {
                "Lambda-Runtime-Aws-Request-Id": request_id,
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + _TIMEOUT_S) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:local:0:function:ontime",
                "Content-Type": "application/json",
            }
            self._send(200, event, headers)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path == f"{_API}/init/error":
                self._send(202, b"{}", {})
                host.could_not_start(body)
                return
            request_id, outcome = self.path.removeprefix(f"{_API}/invocation/").split("/")
            host.take(request_id, body, failed=outcome != "response")
            self._send(202, b"{}", {})

        def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, *_: Any) -> None:
            """Log nothing: the output is the function's own log."""

    return Handler


def copy_installed(folder: Path, names: Sequence[str] = RUNTIME) -> Path:
    """Copy installed distributions into a folder, by default the runtime client, and return it.

    Lambda has the client beside the bundle, and nothing else of ours may be found there.
    """
    for name in names:
        installed = distribution(name)
        for file in installed.files or ():
            source = Path(str(installed.locate_file(file)))
            if ".." not in file.parts and source.is_file() and source.suffix != ".pyc":
                place = folder / file
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, place)
    return folder


def start_function(
    host: RuntimeHost,
    handler: str,
    *,
    path: list[Path],
    environment: Mapping[str, str],
    log: Path,
    processor: int | None = None,
    memory_mb: int | None = None,
    python: str | None = None,
) -> subprocess.Popen[bytes]:
    """Start the function's process: the runtime client, with nothing importable but the path.

    Args:
        host: Where it gets its events.
        handler: `module.function`.
        path: The bundle and the runtime client.
        environment: Its environment; nothing else of ours is in it.
        log: The file to which its output is redirected.
        processor: The one processor that it may run on.
        memory_mb: Its most memory, as address space.
        python: Another interpreter, with its packages; else this one's base without any.
    """
    own = [python] if python else [_base_python(), "-S"]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*own, "-m", "awslambdaric", handler],
            cwd=path[0],
            env={
                "AWS_LAMBDA_RUNTIME_API": host.address,
                "LAMBDA_TASK_ROOT": str(path[0]),
                "PYTHONPATH": os.pathsep.join(map(str, path)),
                "PATH": os.defpath,
                **environment,
            },
            stdout=output,
            stderr=output,
            preexec_fn=_confined(processor, memory_mb),  # noqa: PLW1509 - limits, and no threads yet
        )


def _base_python() -> str:
    return str(getattr(sys, "_base_executable", sys.executable))


def _confined(processor: int | None, memory_mb: int | None) -> Callable[[], None]:
    def confine() -> None:
        if processor is not None:
            os.sched_setaffinity(0, {processor})
        if memory_mb is not None:
            resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))

    return confine
