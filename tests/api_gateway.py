"""An emulated API Gateway: HTTP in front of a function in the emulated Lambda runtime.

Only for tools that must speak HTTP; it makes the event of an HTTP API (payload 2.0).
"""

from __future__ import annotations

import base64
import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lambda_runtime import RuntimeHost


class _Gateway(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, function: RuntimeHost) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.function = function


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = urlsplit(self.path)
        event = {
            "version": "2.0",
            "rawPath": parts.path,
            "rawQueryString": parts.query,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "requestContext": {
                "stage": "$default",
                "http": {"method": self.command, "path": parts.path, "sourceIp": "192.0.2.1"},
            },
            "body": base64.b64encode(body).decode(),
            "isBase64Encoded": True,
        }
        answer = cast("_Gateway", self.server).function.invoke(event)
        headers = answer["headers"]
        head = f"HTTP/1.1 {answer['statusCode']} -\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.wfile.write(f"{head}\r\n{answer['body']}".encode())

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):  # whatever the method
            return self._answer
        raise AttributeError(name)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def gateway(function: RuntimeHost) -> Iterator[str]:
    """Serve a function over HTTP; yields the address."""
    server = _Gateway(function)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        serving.join()
