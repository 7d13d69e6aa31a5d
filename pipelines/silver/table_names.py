"""The names of the bronze, silver and quarantine tables."""

from __future__ import annotations

from typing import Final

QUARANTINE: Final = "quarantine"


def bronze_table(source: str) -> str:
    """Return the name of the table that has the rows of a source as received."""
    return f"bronze_{source}"


def silver_table(source: str) -> str:
    """Return the name of the table that has the typed rows of a source."""
    return f"silver_{source}"
