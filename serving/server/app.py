"""The ASGI application: FastAPI, with one plain endpoint behind every route."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.routing import Route as StarletteRoute

from serving.docs.openapi import DESCRIPTION, TITLE, VERSION, openapi_document

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from serving.http.api import Api
    from serving.server.asgi import AsgiEndpoint


class OntimeApp(FastAPI):
    """FastAPI whose HTTP requests go straight to the endpoint, past its middleware and routing.

    The endpoint routes by the table that the Lambda adapter uses too; FastAPI runs start and stop,
    and lists the routes.

    Args:
        endpoint: Answers every request.
        api: Its API, whose routes the application lists.
    """

    def __init__(self, endpoint: AsgiEndpoint, api: Api) -> None:
        @contextlib.asynccontextmanager
        async def running(_app: FastAPI) -> AsyncIterator[None]:
            async with endpoint.running():
                yield

        super().__init__(
            title=TITLE,
            version=VERSION,
            description=DESCRIPTION,
            lifespan=running,
            redirect_slashes=False,
            openapi_url=None,  # the route table answers these, in a function as well
            docs_url=None,
            redoc_url=None,
        )
        self._endpoint = endpoint
        for route in api.table.routes:
            self.router.routes.append(StarletteRoute(route.path, endpoint, methods=[route.method]))
        document = openapi_document()
        self.openapi = lambda: document  # type: ignore[method-assign] # FastAPI's own way to do so

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; FastAPI handles everything else: start and stop of the application."""
        if scope["type"] == "http":
            await self._endpoint(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)
