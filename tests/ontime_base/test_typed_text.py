"""Text that people type stays text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ontime_base.typed_text import one_line, plain_lines, typed_problem

FORGED = [
    "Ada\n    5  2026-01-01 00:00:00  promoted  9  Eve",
    "\x1b[2K\rEve",
    "\x9b31m",
    "Ada\u202eadE",
    "Ada\u2028Eve",
    "Ada\x00.",
    "Ada\tEve",
]


@pytest.mark.parametrize("text", FORGED)
def test_what_would_forge_output_is_escaped_and_refused(text: str) -> None:
    shown = one_line(text)
    assert shown.isprintable()
    assert shown != text
    assert "not printable" in typed_problem(text, longest=100)
    assert typed_problem(text, longest=100).isprintable()


@pytest.mark.parametrize("text", ["Ada", "Zoë O'Brien", "李雷", 'a "quoted" name', "naïve — yes"])
def test_names_of_people_stay_as_they_are(text: str) -> None:
    assert one_line(text) == text
    assert typed_problem(text, longest=100) == ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        (" \t", "is empty"),
        (" Ada", "begins or ends with a space"),
        ("a" * 101, "has 101 characters, and 100 is the most"),
    ],
)
def test_what_is_no_name_is_explained(text: str, problem: str) -> None:
    assert typed_problem(text, longest=100) == problem


@given(st.text())
def test_any_text_becomes_lines_of_printable_characters(text: str) -> None:
    assert one_line(text).isprintable()
    assert len(plain_lines(text).split("\n")) == len(text.split("\n"))
    assert all(line.isprintable() for line in plain_lines(text).split("\n"))
