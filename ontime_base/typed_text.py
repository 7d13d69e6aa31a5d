"""Text that people type: shown as text, and refused where it would forge other output."""

from __future__ import annotations


def one_line(text: str) -> str:
    """Return a text as one line that a terminal shows as it is.

    Line ends, escape sequences, directional marks and everything else that is not printable are
    written as Python writes them in a string.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def plain_lines(text: str) -> str:
    """Return a text of several lines, each of them as `one_line` returns it."""
    return text if text.isprintable() else "\n".join(map(one_line, text.split("\n")))


def typed_problem(text: str, *, longest: int) -> str:
    """Return why a text cannot be kept as it was typed, as a clause; empty if it can.

    Args:
        text: As typed.
        longest: The most characters.
    """
    if not text.strip():
        return "is empty"
    if text != text.strip():
        return "begins or ends with a space"
    if not text.isprintable():
        return f"has characters that are not printable ('{one_line(text[:longest])}')"
    if len(text) > longest:
        return f"has {len(text)} characters, and {longest} is the most"
    return ""
