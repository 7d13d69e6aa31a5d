"""The pages at `/docs` and `/redoc`: Swagger UI and ReDoc, from the files of an installed package.

They load nothing from another address. A function does not carry the files, which are larger than
all its code: its pages point to the OpenAPI document.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from serving.schema.problems import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PACKAGE: Final = "fastapi_offline"
_HERE: Final = Path(__file__).parent
_OURS: Final = "swagger_ui.js"
_JAVASCRIPT: Final = "text/javascript; charset=utf-8"
ASSETS: Final[Mapping[str, str]] = {
    "swagger-ui-bundle.js": _JAVASCRIPT,
    "swagger-ui.css": "text/css; charset=utf-8",
    "redoc.standalone.js": _JAVASCRIPT,
    _OURS: _JAVASCRIPT,
}
"""Files that the pages load from `/docs/<name>`, with their media types."""
# Both libraries put styles into the page; ReDoc searches in a worker made of a blob.
POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    b"img-src 'self' data:; font-src 'self' data:; worker-src blob:; base-uri 'none'; "
    b"form-action 'none'; frame-ancestors 'none'"
)


def page(name: Literal["swagger_ui", "redoc"], *, prefix: str) -> bytes:
    """Return a page as HTML.

    Args:
        name: Which of the two.
        prefix: What a gateway has put before the path, such as `/prod`.
    """
    if _assets() is None:
        return (_HERE / "not_installed.html").read_bytes()
    # Imported late: most processes never serve a page, and a function has no Jinja2.
    import jinja2  # noqa: PLC0415 - see above

    from serving.docs.openapi import TITLE  # noqa: PLC0415 - see above

    loader = jinja2.FileSystemLoader(_HERE)
    template = jinja2.Environment(loader=loader, autoescape=True).get_template(f"{name}.html")
    return template.render(title=TITLE, prefix=prefix).encode()


@functools.cache
def asset(name: str) -> bytes:
    """Return the content of one of `ASSETS`.

    Raises:
        NotFoundError: The files are not installed here.
    """
    folder = _assets()
    if folder is None:
        raise NotFoundError(
            "The documentation pages are not part of a function: see /openapi.json."
        )
    return ((_HERE if name == _OURS else folder) / name).read_bytes()


@functools.cache
def _assets() -> Path | None:
    found = importlib.util.find_spec(_PACKAGE)
    return Path(found.origin).parent / "static" if found and found.origin else None
