"""Request bodies as bytes: how they are declared, and how they are packed."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from serving.http.messages import JSON
from serving.schema.field_problems import value_shown
from serving.schema.problems import (
    BodyTooLargeError,
    MalformedBodyError,
    UnsupportedMediaTypeError,
)

if TYPE_CHECKING:
    from serving.http.messages import Request
    from serving.http.routes import Route

_GZIP: Final = frozenset({"gzip", "x-gzip"})
_PLAIN: Final = frozenset({"", "identity"})
_GZIP_FORMAT: Final = 16 + zlib.MAX_WBITS


def require_json(request: Request) -> None:
    """Check that a body is declared as JSON, packed by gzip or not at all.

    A body without a content type is read as JSON, as older clients send it; not from a page of a
    browser, which could send it with the credentials of whoever looks at the page.

    Raises:
        UnsupportedMediaTypeError: It is declared as something else.
    """
    declared = request.header(b"content-type")
    if declared != JSON and declared.partition(";")[0].strip().lower() != JSON:
        if declared.strip():
            raise UnsupportedMediaTypeError(
                f"The content type is {value_shown(declared)}: send the header "
                f"'content-type: {JSON}' with a JSON body."
            )
        if b"origin" in request.headers:
            raise UnsupportedMediaTypeError(
                f"A page of a browser has to send the header 'content-type: {JSON}'."
            )
    encoding = _encoding(request)
    if encoding not in _PLAIN and encoding not in _GZIP:
        raise UnsupportedMediaTypeError(
            f"The content encoding is {value_shown(encoding)}: send the body with gzip, or as it "
            "is and without the header 'content-encoding'."
        )


def unpack(request: Request, route: Route) -> None:
    """Replace a gzip body by what it holds, of which no more is unpacked than the route reads.

    Raises:
        MalformedBodyError: It is no gzip.
        BodyTooLargeError: It holds more than the route reads.
    """
    if not route.max_body or _encoding(request) not in _GZIP:
        return
    unpacking = zlib.decompressobj(_GZIP_FORMAT)
    try:
        body = unpacking.decompress(request.body, route.max_body + 1)
    except zlib.error:
        raise _no_gzip("it is damaged or is something else") from None
    require_size(len(body), route)
    if not unpacking.eof:
        raise _no_gzip("its end is missing")
    if unpacking.unused_data:
        raise _no_gzip("something follows its end")
    request.body = body


def require_size(size: int, route: Route) -> None:
    """Check the size of a body.

    Raises:
        BodyTooLargeError: It is larger than the route reads.
    """
    if route.max_body and size > route.max_body:
        raise BodyTooLargeError(f"The body is larger than {route.max_body} bytes: send less.")


def _encoding(request: Request) -> str:
    return request.header(b"content-encoding").strip().lower()


def _no_gzip(why: str) -> MalformedBodyError:
    return MalformedBodyError(
        f"The body cannot be read as gzip ({why}): pack it again, or send it as it is and without "
        "the header 'content-encoding'."
    )
