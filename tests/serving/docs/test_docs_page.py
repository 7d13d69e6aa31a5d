"""The page at `/docs`."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from serving.docs.docs_page import docs_page
from serving.docs.openapi import EXAMPLE_REQUEST, openapi_document

DOCUMENT = openapi_document()
PAGE = docs_page(DOCUMENT)


class Tags(HTMLParser):
    """Checks that tags are closed in order, and keeps what they refer to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_loads_nothing() -> None:
    # Given the page, Then every tag is closed, and it refers only to this server
    tags = Tags()
    tags.feed(PAGE)
    assert tags.open == []
    assert tags.links == ["/openapi.json"]
    assert "http" not in PAGE


def test_every_operation_field_and_status_is_on_it() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path}" in PAGE
            part = PAGE.split(f'id="{operation["operationId"]}"')[1].split("<h2")[0]
            assert set(re.findall(r"<code>(\d{3})</code>", part)) == set(operation["responses"]) - {
                "200"
            }
    for field in (*EXAMPLE_REQUEST, "as_of (optional)", "features_as_of", "cursor"):
        assert f"<code>{field}" in PAGE


def test_what_the_document_says_is_escaped() -> None:
    odd = {**DOCUMENT, "info": {"title": "<b>", "description": "<script>"}}
    assert "<b>" not in docs_page(odd)
    assert docs_page(odd).count("<script>") == 1
