"""An emulated Lambda Runtime API: a small host for the real runtime client, `awslambdaric`.

It speaks the four paths that the client asks, hands it one event at a time, and waits for what it
answers. Nothing of Lambda's limits (memory, CPU, freezing) is emulated.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_API = "/2018-06-01/runtime"
_PATIENCE_SECONDS = 60


class FunctionError(Exception):
    """The function failed instead of answering."""


class RuntimeHost(ThreadingHTTPServer):
    """Hands events to the runtime client that polls it, and gives back what that answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _RuntimeApi)
        self.events: queue.Queue[bytes | None] = queue.Queue()
        self.answers: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._one_at_a_time = threading.Lock()

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Return what the function answers.

        Raises:
            FunctionError: It failed, or the process did not come to life.
        """
        with self._one_at_a_time:
            self.events.put(json.dumps(event).encode())
            try:
                kind, body = self.answers.get(timeout=_PATIENCE_SECONDS)
            except queue.Empty:
                raise FunctionError("the function does not answer") from None
        if kind != "response":
            raise FunctionError(body.decode())
        return json.loads(body)


class _RuntimeApi(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        assert self.path == f"{_API}/invocation/next", self.path
        event = cast("RuntimeHost", self.server).events.get()
        if event is None:  # the host stops
            self.close_connection = True
            return
        deadline = int((time.time() + _PATIENCE_SECONDS) * 1000)
        self._send(
            200,
            event,
            {
                "Lambda-Runtime-Aws-Request-Id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
                "Lambda-Runtime-Deadline-Ms": str(deadline),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:0:function:ontime",
                "Content-Type": "application/json",
            },
        )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        kind = self.path.rpartition("/")[2]
        cast("RuntimeHost", self.server).answers.put((kind, body))
        self._send(202, b'{"status":"OK"}', {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        head = f"HTTP/1.1 {status} -\r\nContent-Length: {len(body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.wfile.write(f"{head}\r\n".encode() + body)  # in one: apart they wait for each other

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def running_function(
    handler: str, *, cwd: Path, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[RuntimeHost]:
    """Run a handler (`module.name`) in the real runtime client, as a process of its own."""
    host = RuntimeHost()
    serving = threading.Thread(target=host.serve_forever, daemon=True)
    serving.start()
    variables = {
        **os.environ,
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{host.server_port}",
        "AWS_LAMBDA_FUNCTION_NAME": "ontime",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
        "LAMBDA_TASK_ROOT": str(cwd),
        "PYTHONPATH": str(cwd),
        **(environment or {}),
    }
    command = [sys.executable, "-m", "awslambdaric", handler]
    with (
        log.open("w") as output,
        subprocess.Popen(command, cwd=cwd, env=variables, stdout=output, stderr=output) as process,
    ):
        try:
            yield host
        finally:
            process.kill()
            process.wait()
            host.events.put(None)
            host.shutdown()
            host.server_close()
            serving.join()
