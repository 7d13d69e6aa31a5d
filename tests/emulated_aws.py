"""An emulated AWS: moto's server in a process of its own, reached over real HTTP.

Run as a script it serves until its standard input closes. It handles one request at a time (but for
who waits for messages): moto checks the condition of a write and then writes, and only so are
conditional writes atomic, as they are in AWS.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

REGION = "us-east-1"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",  # moto checks no credentials
    "AWS_SECRET_ACCESS_KEY": "test",  # pragma: allowlist secret
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class EmulatedAws:
    """Where the emulation answers.

    Attributes:
        url: Endpoint of every service.
        process: The server.
    """

    url: str
    process: subprocess.Popen[str]

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to talk to the emulation."""
        return {**ENVIRONMENT, "AWS_ENDPOINT_URL": self.url}

    def client(self, service: str) -> Any:
        """Return a boto3 client."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=ENVIRONMENT["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
        )


@contextlib.contextmanager
def emulated_aws(port: int = 0) -> Iterator[EmulatedAws]:
    """Run the server on a port of this machine, by default a free one, until the context ends."""
    command = [sys.executable, str(Path(__file__).resolve()), str(port)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **ENVIRONMENT},
    ) as process:
        assert process.stdout is not None
        listening = process.stdout.readline().strip()
        assert listening.isdigit(), "moto's server did not start"
        try:
            yield EmulatedAws(f"http://127.0.0.1:{listening}", process)
        finally:
            process.kill()


def _one_at_a_time(application: Any) -> Callable[..., list[bytes]]:
    lock = threading.Lock()

    def answer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        waits = str(environ.get("HTTP_X_AMZ_TARGET", "")).endswith(".ReceiveMessage")
        with contextlib.nullcontext() if waits else lock:
            body: Iterable[bytes] = application(environ, start_response)
            return list(body)

    return answer


def _serve() -> None:
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415 - only the server's process
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server  # noqa: PLC0415 - only the server's process

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = _one_at_a_time(DomainDispatcherApplication(create_backend_app))
    server = make_server(
        "127.0.0.1",
        int(sys.argv[1]),
        application,
        threaded=True,
        request_handler=MotoRequestHandler,
    )
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()  # until the process that started it has ended


if __name__ == "__main__":
    _serve()
