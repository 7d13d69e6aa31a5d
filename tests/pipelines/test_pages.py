from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipelines.pages import Cell, bars, number, table_of, write_page

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_told_is_escaped(tmp_path: Path) -> None:
    # Given text that would be markup
    body = table_of(("<a>",), [(Cell("<b>", link='"x"'),), ("&",)])
    # When a page is written of it
    path = write_page(tmp_path / "sub" / "page.html", title="<t>", intro="<i>", body=body)
    # Then it is text
    text = path.read_text()
    assert not re.search(r"<(a|b|t|i)>", text)
    assert '<a href="&quot;x&quot;">&lt;b&gt;</a>' in text
    assert "<td>&amp;</td>" in text


def test_a_page_asks_nothing_of_the_network(tmp_path: Path) -> None:
    # Given a page / When it is looked through / Then it names no other place
    path = write_page(tmp_path / "page.html", title="t", intro="i", body=table_of((), []))
    assert not re.search(r"(src|href)=.http|url\(|@import|<link|<script", path.read_text())


def test_bars_are_as_tall_as_their_values_and_some_are_marked() -> None:
    # Given values / When they are drawn
    drawn = bars([5, 10, 0], marked=[2], label="rows & more")
    # Then each has a bar, the greatest the tallest, and the marked one another style
    assert [
        float(tall) for tall in re.findall(r' height="([\d.]+)"(?: class="bad")?/>', drawn)
    ] == [
        20.0,
        40.0,
        0.6,
    ]
    assert drawn.count('class="bad"') == 1
    assert "rows &amp; more" in drawn
    # And nothing is drawn of nothing
    assert "<rect" not in bars([])


def test_numbers_are_grouped() -> None:
    assert number(336_776).html() == '<td class="number">336,776</td>'
