"""Ledger entries: a decision, its evidence, and the release that results from it."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from serving.models.release_document import ReleasedVersion

Kind: TypeAlias = Literal[
    "registered",
    "gated",
    "published",
    "approved",
    "rejected",
    "rolled_out",
    "promoted",
    "rolled_back",
]


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The versions that answer after a decision.

    Attributes:
        champion: The version that answers; None before the first promotion.
        challenger: The version on trial; None when there is none.
        challenger_weight: Share of the flights that the challenger answers, 0 to 1.
    """

    champion: ReleasedVersion | None = None
    challenger: ReleasedVersion | None = None
    challenger_weight: float = 0.0


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision to be recorded.

    Attributes:
        kind: What was decided.
        by: Who decided: a person, or the stage of the pipeline.
        reason: Why, in a sentence.
        model: The registered model.
        version: The version it is about.
        evidence: Figures and names it was decided on.
        release: What answers after it; None if that does not change.
    """

    kind: Kind
    by: str
    reason: str
    model: str
    version: str
    evidence: dict[str, Any]
    release: Release | None = None


class LedgerEntry(Decision, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decision in its place in the chain.

    Attributes:
        sequence: Its place, from 1.
        at: When it was appended, UTC, such as `2026-03-01T10:00:00.125Z`; never before the entry
            before it.
        previous_sha256: Checksum of the entry before it.
        schema: Version of this layout.
    """

    sequence: int
    at: str
    previous_sha256: str
    schema: Literal[1] = 1

    def summary(self) -> str:
        """Return who decided what and when, as a clause of a sentence."""
        what = self.kind.replace("_", " ")
        return f"entry {self.sequence}: version {self.version} {what} by {self.by} at {self.at}"
