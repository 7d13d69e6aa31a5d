"""The pages at `/docs` and `/redoc`."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from serving.docs.pages import ASSETS
from serving.http.api import Api
from serving.http.messages import Request
from tests.serving.support import ROOT, SETTINGS, a_home, a_service

if TYPE_CHECKING:
    from serving.http.messages import Reply


class Links(HTMLParser):
    """Notes what a page refers to, and checks that it holds no inline script or style."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        assert tag != "style"
        assert tag != "script" or named.get("src")
        self.links += [
            value or "" for name, value in attrs if name in {"href", "src", "spec-url", "data-url"}
        ]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Api:
    return Api(a_service(a_home(tmp_path_factory.mktemp("docs") / "home"), SETTINGS))


def get(api: Api, path: str, prefix: str = "") -> Reply:
    return api.answer(Request("GET", path, prefix=prefix))


@pytest.mark.parametrize("path", ["/docs", "/docs/", "/redoc", "/redoc/"])
@pytest.mark.parametrize("prefix", ["", "/prod"])
def test_all_that_a_page_refers_to_is_served_here(api: Api, path: str, prefix: str) -> None:
    # Given a page, with and without the stage of a gateway in front of its path
    reply = get(api, path, prefix)
    assert reply.status == 200
    found = Links()
    found.feed(reply.body.decode())
    # Then everything that it refers to is answered below the same prefix
    links = [link for link in found.links if link != "data:,"]
    assert f"{prefix}/openapi.json" in links
    for link in links:
        assert link.startswith(f"{prefix}/")
        assert get(api, link.removeprefix(prefix)).status == 200
    # And its policy lets a browser load nothing from elsewhere and run no inline script
    policy = dict(reply.headers)[b"content-security-policy"].decode()
    assert "default-src 'none'; script-src 'self';" in policy
    assert "http" not in policy


@pytest.mark.parametrize("name", ASSETS)
def test_assets_have_their_media_type_and_may_be_cached(api: Api, name: str) -> None:
    reply = get(api, f"/docs/{name}")
    assert reply.media_type == ASSETS[name]
    assert dict(reply.headers)[b"cache-control"] == b"max-age=86400"
    assert len(reply.body) > 100


@pytest.mark.parametrize("path", ["/docs/../openapi.py", "/docs/favicon.png", "/docs/x.js"])
def test_no_other_file_is_served(api: Api, path: str) -> None:
    assert get(api, path).status == 404


def test_where_the_files_are_not_installed_the_pages_point_to_the_document() -> None:
    # Given a process without fastapi-offline and Jinja2, as in a function
    script = (
        "import sys, importlib.util; sys.modules['fastapi_offline'] = sys.modules['jinja2'] = None;"
        "find = importlib.util.find_spec;"
        "importlib.util.find_spec = lambda name: None if name == 'fastapi_offline' else find(name);"
        "from serving.docs.pages import asset, page; print(page('redoc', prefix='').decode());"
        "asset('swagger-ui.css')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    # Then the page names the document, and a file is a problem that does so too
    assert "<code>/openapi.json</code>" in done.stdout
    assert "NotFoundError" in done.stderr
    assert "see /openapi.json" in done.stderr
