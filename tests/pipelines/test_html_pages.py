"""Pages are rendered from templates: values are escaped, and nothing comes from the network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from jinja2 import UndefinedError

from pipelines.html_pages import write_page

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE = """{% extends "layout.html" %}
{% block content %}
<p title="{{ value }}">{{ value }}</p>
{% endblock %}
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "template.html"
    path.write_text(TEMPLATE)
    return path


def test_values_are_escaped(template: Path, tmp_path: Path) -> None:
    # Given values that would be markup / When a page is written of them, in a folder that is not
    # there
    page = tmp_path / "sub" / "page.html"
    assert write_page(page, template, title="<t>", intro="<i>", value='"<b>"') == page
    # Then they are text
    text = page.read_text()
    assert not re.search(r"<(b|t|i)>", text)
    assert '<p title="&#34;&lt;b&gt;&#34;">&#34;&lt;b&gt;&#34;</p>' in text
    assert "<title>&lt;t&gt;</title>" in text


def test_a_page_needs_no_network(template: Path, tmp_path: Path) -> None:
    # Given a page / When its text is searched / Then it names no other place
    path = write_page(tmp_path / "page.html", template, title="t", intro="i", value="v")
    assert not re.search(r"(src|href)=.http|url\(|@import|<link|<script", path.read_text())


def test_a_value_that_is_missing_is_an_error_and_writes_no_page(
    template: Path, tmp_path: Path
) -> None:
    # Given no value for the template / When / Then
    with pytest.raises(UndefinedError, match="'value' is undefined"):
        write_page(tmp_path / "page.html", template, title="t", intro="i")
    assert not (tmp_path / "page.html").exists()
