"""Runs the HTTP server with the released model until stopped."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from ontime_base.errors import OntimeError
from serving.models.release_document import read_release
from serving.server.listening import reserve_port
from serving.settings import artifact_store_uri, with_environment_keys
from serving.stores.opening import open_artifact_store

if TYPE_CHECKING:
    import socket

    from pipelines.settings import PipelineSettings


class NothingReleasedError(OntimeError):
    """There is no model to answer with."""


def serve_released(
    settings: PipelineSettings, *, host: str | None = None, port: int | None = None
) -> None:
    """Answer requests until Ctrl-C.

    Args:
        settings: The configuration.
        host: Address to listen on; None: as configured.
        port: Port; 0 takes a free one; None: as configured.

    Raises:
        NothingReleasedError: There is no model to answer with.
        OntimeError: The port is taken, or a store cannot be used.
    """
    _require_release(settings)
    address = host or settings.serving.host
    with reserve_port(address, settings.serving.port if port is None else port) as reserved:
        _serve(settings, reserved)
    print("serve: stopped")


def _require_release(settings: PipelineSettings) -> None:
    where = artifact_store_uri(settings.serving, settings.home)
    if read_release(open_artifact_store(where)) is None:
        raise NothingReleasedError(
            f"No model is released in {where}: run `make run` first, which trains and releases one."
        )


def _serve(settings: PipelineSettings, reserved: socket.socket) -> None:
    # Imported late: a port in use or a missing release is reported before the second this takes.
    from serving.docs.openapi import EXAMPLE_REQUEST  # noqa: PLC0415 - see above
    from serving.http.api import Api  # noqa: PLC0415 - see above
    from serving.server.http_server import serve  # noqa: PLC0415 - see above
    from serving.service.prediction_service import open_service  # noqa: PLC0415 - see above
    from serving.telemetry.logs import writing_logs_to  # noqa: PLC0415 - see above

    api = Api(open_service(with_environment_keys(settings.serving), settings.home))
    host, port = reserved.getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    banner = (
        f"Ontime answers on {address}  (documentation: {address}/docs; stop: Ctrl-C)\n"
        "Try, in another terminal:\n"
        f"  curl {address}/model/predict -H 'content-type: application/json' "
        f"-d '{json.dumps(EXAMPLE_REQUEST)}'"
    )
    with writing_logs_to(sys.stdout):
        serve(api, reserved, on_ready=lambda: print(banner, flush=True))
