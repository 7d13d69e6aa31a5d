"""The history of a Delta table: what its entries tell, and for how long it is retained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# Past versions are read (features as of a past ingest): the log and old files are retained.
RETENTION: Final[Mapping[str, str]] = {
    "delta.logRetentionDuration": "interval 3650 days",
    "delta.deletedFileRetentionDuration": "interval 3650 days",
}


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A commit of a table as its log has it.

    Attributes:
        version: The version that it made.
        operation: The kind of change, such as `WRITE` or `OPTIMIZE`.
        description: Its `userMetadata`; empty if it has none.
    """

    version: int
    operation: str
    description: str
