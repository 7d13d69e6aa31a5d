"""Who decides and why, as people type it for the ledger."""

from __future__ import annotations

import unicodedata
from typing import Final

from ontime_base.errors import OntimeError
from ontime_base.typed_text import typed_problem

PIPELINE: Final = "pipeline"
"""Who decides in the entries of the pipeline's own stages."""
_LONGEST_NAME: Final = 100
_LONGEST_REASON: Final = 1_000


class DeciderError(OntimeError):
    """A decision has no name or reason that the ledger can keep; nothing was recorded."""


def require_person(by: str, reason: str) -> None:
    """Refuse a name or a reason that could not be read in the ledger as what it is.

    Args:
        by: Who decides: one line of printable text, and not the name of the pipeline.
        reason: Why: one line of printable text.

    Raises:
        DeciderError: Names the option and the way out.
    """
    require_text(by, reason)
    name = unicodedata.normalize("NFKC", by).strip().casefold()
    if name == PIPELINE:
        raise DeciderError(
            f"--by: '{by}' is the name of the pipeline in the ledger: give the name of the person "
            "who decides."
        )


def require_text(by: str, reason: str) -> None:
    """Refuse a name or a reason that is not one line of printable text.

    Raises:
        DeciderError: Names the option and the way out.
    """
    if problem := typed_problem(by, longest=_LONGEST_NAME):
        raise DeciderError(f"--by {problem}: give the name of who decides, on one line.")
    if problem := typed_problem(reason, longest=_LONGEST_REASON):
        raise DeciderError(f"--reason {problem}: give the reason on one line.")
