"""The route table, the same for every adapter: path and method to endpoint."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from serving.schema.problems import MethodNotAllowedError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from serving.http.messages import Reply, Request
    from serving.schema.problems import ProblemError
    from serving.settings import Scope

_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class Route:
    """One path and method, and the endpoint that answers them.

    Attributes:
        method: `GET` or `POST`; a GET route answers HEAD too.
        path: The path; one that ends in `/{id}` stands for all of that form.
        answer: Answers.
        max_body: The most bytes of a body; 0: the body is not read.
        nonblocking: Answers without waiting for disk or network.
        public: Answers without a key.
        scope: What a key must allow; None: any key will do.
        answer_batch: Answers several requests without a query, each with a reply or a problem;
            None: one request at a time.
    """

    method: str
    path: str
    answer: Callable[[Request], Reply]
    max_body: int = 0
    nonblocking: bool = False
    public: bool = False
    scope: Scope | None = None
    answer_batch: Callable[[Sequence[Request]], Sequence[Reply | ProblemError]] | None = None


class RouteTable:
    """Finds the route of a request.

    Args:
        routes: All of them.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)
        self._fixed: dict[str, dict[str, Route]] = {}
        self._named: list[tuple[re.Pattern[str], str]] = []
        for route in routes:
            methods = self._fixed.setdefault(route.path, {})
            methods[route.method] = route
            if route.method == "GET":
                methods["HEAD"] = route
            if route.path.endswith("/{id}"):
                form = re.compile(re.escape(route.path.removesuffix("{id}")) + "[A-Za-z0-9-]{1,64}")
                self._named.append((form, route.path))

    def path_of(self, path: str) -> str | None:
        """Return the path of the table that matches a request's path, or None."""
        if path in self._fixed and "{" not in path:
            return path
        return next((known for form, known in self._named if form.fullmatch(path)), None)

    def route(self, request: Request) -> Route:
        """Return the route of a request.

        Raises:
            NotFoundError: No path of the table matches.
            MethodNotAllowedError: It does not take this method.
        """
        path = self.path_of(request.path)
        if path is None:
            raise NotFoundError(
                f"There is no {request.path[:_SHOWN]}: see /docs for the paths that there are."
            )
        methods = self._fixed[path]
        route = methods.get(request.method)
        if route is None:
            allowed = ", ".join(sorted(methods))
            raise MethodNotAllowedError(
                f"{path} does not take {request.method[:_SHOWN]}: use {allowed}.",
                headers=((b"allow", allowed.encode()),),
            )
        return route
