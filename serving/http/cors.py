"""Cross-origin requests (CORS): which pages of other origins may use the service in a browser.

Credentials that a browser has stored are never allowed: a page sends its key itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from serving.http.messages import Reply
from serving.http.routes import Route

if TYPE_CHECKING:
    from serving.http.messages import Request
    from serving.settings import CorsSettings

_ANY: Final = "*"
_ALLOWED_HEADERS: Final = b"authorization, content-type, idempotency-key, x-api-key, x-request-id"
_EXPOSED_HEADERS: Final = b"location, retry-after, x-request-id"
_ASKED: Final = b"access-control-request-method"
_TEXT: Final = "text/plain; charset=utf-8"


class Cors:
    """Answers preflight requests, and names the headers of answers to pages of other origins.

    Args:
        settings: Which origins are allowed.
    """

    def __init__(self, settings: CorsSettings) -> None:
        self._any = _ANY in settings.origins
        self._origins = frozenset(settings.origins)
        self._max_age = b"%d" % settings.max_age_seconds

    def headers(self, request: Request) -> tuple[tuple[bytes, bytes], ...]:
        """Return the headers to add to the answer to a request; none where nothing is allowed."""
        if not self._origins:
            return ()
        allowed = self._allowed(request)
        vary = () if self._any else ((b"vary", b"origin"),)
        if not allowed:
            return vary
        return (
            (b"access-control-allow-origin", allowed),
            (b"access-control-expose-headers", _EXPOSED_HEADERS),
            *vary,
        )

    def preflight(self, request: Request) -> Route | None:
        """Return the route of a preflight request from an allowed origin; None for any other."""
        if request.method != "OPTIONS" or not self._origins or _ASKED not in request.headers:
            return None
        if not self._allowed(request):
            return None
        headers = (
            (b"access-control-allow-methods", b"GET, POST"),
            (b"access-control-allow-headers", _ALLOWED_HEADERS),
            (b"access-control-max-age", self._max_age),
        )
        reply = Reply(b"", media_type=_TEXT, headers=headers)
        return Route("OPTIONS", _ANY, lambda _: reply, nonblocking=True, public=True)

    def _allowed(self, request: Request) -> bytes:
        """Return what allows the origin of a request; empty if nothing does."""
        origin = request.header(b"origin")
        if not origin:
            return b""
        if self._any:
            return _ANY.encode()
        return origin.encode("latin-1") if origin in self._origins else b""
