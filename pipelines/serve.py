"""`make serve`: answer requests from the released model until stopped."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from ontime_base.errors import OntimeError
from pipelines.settings import load_settings
from serving.models.release_document import read_release
from serving.server.listening import listen
from serving.settings import artifact_store_uri
from serving.stores.opening import open_artifact_store

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from pipelines.settings import PipelineSettings


class NothingReleasedError(OntimeError):
    """There is no model to answer with."""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve, and return the exit code: 1 after one sentence on what to put right."""
    arguments = _parser().parse_args(argv)
    try:
        settings = load_settings(arguments.env)
        host = arguments.host or settings.serving.host
        port = settings.serving.port if arguments.port is None else arguments.port
        _require_release(settings)
        with listen(host, port) as listener:
            _serve(settings, listener)
    except OntimeError as error:
        print(f"serve: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("serve: stopped")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipelines.serve", description=__doc__)
    parser.add_argument("--host", help="address to listen on (conf: serving.host)")
    parser.add_argument("--port", type=int, help="port; 0 takes a free one (conf: serving.port)")
    parser.add_argument("--env", help="dev, staging or prod (ONTIME_ENV)")
    return parser


def _require_release(settings: PipelineSettings) -> None:
    where = artifact_store_uri(settings.serving, settings.home)
    if read_release(open_artifact_store(where)) is None:
        raise NothingReleasedError(
            f"No model is released in {where}: run `make run` first, which trains and releases one."
        )


def _serve(settings: PipelineSettings, listener: socket.socket) -> None:
    # Imported late: a taken port or a missing release is told before the second this takes.
    from serving.docs.openapi import EXAMPLE_REQUEST  # noqa: PLC0415 - see above
    from serving.http.api import Api  # noqa: PLC0415 - see above
    from serving.server.http_server import serve  # noqa: PLC0415 - see above
    from serving.service.prediction_service import open_service  # noqa: PLC0415 - see above
    from serving.telemetry.logs import writing_logs_to  # noqa: PLC0415 - see above

    api = Api(open_service(settings.serving.options(), settings.home))
    host, port = listener.getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    print(
        f"Ontime answers on {address}  (documentation: {address}/docs; stop: Ctrl-C)\n"
        "Try, in another terminal:\n"
        f"  curl {address}/model/predict -H 'content-type: application/json' "
        f"-d '{json.dumps(EXAMPLE_REQUEST)}'",
        flush=True,
    )
    with writing_logs_to(sys.stdout):
        serve(api, listener)


if __name__ == "__main__":
    sys.exit(main())
