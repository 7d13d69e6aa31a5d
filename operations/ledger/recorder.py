"""Records a decision exactly once: an optimistic append, retried when the ledger has grown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from operations.ledger.entries import Decision, Kind, Release
from operations.ledger.ledger import Ledger, LedgerConflictError, append_entry, read_ledger
from operations.ledger.state import state_at
from serving.schema.clock import iso_ms, now_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from serving.stores.artifacts.protocol import ArtifactStore

ATTEMPTS: Final = 5


@dataclass(frozen=True, kw_only=True)
class Recorder:
    """Records decisions about the versions of one registered model.

    Attributes:
        store: Where the ledger is.
        model: The registered model.
        by: Who decides: a person, or the pipeline.
        clock: Milliseconds since the epoch.
    """

    store: ArtifactStore
    model: str
    by: str
    clock: Callable[[], int] = now_ms

    def decision(
        self,
        kind: Kind,
        version: str,
        *,
        reason: str,
        evidence: Mapping[str, Any],
        release: Release | None = None,
    ) -> Decision:
        """Return a decision of this decider about a version of this model."""
        return Decision(
            kind=kind,
            by=self.by,
            reason=reason,
            model=self.model,
            version=version,
            evidence=dict(evidence),
            release=release,
        )

    def commit(self, decide: Callable[[Ledger], Decision | None]) -> Decision | None:
        """Append what is decided on the ledger; nothing if nothing is to be recorded.

        When somebody else appends first the decision is taken again, but only if the same versions
        are released as before: a person decides about what was released at that time.

        Args:
            decide: Takes the decision on a ledger; called again after a conflict.

        Returns:
            What was recorded; None if nothing was.

        Raises:
            LedgerConflictError: What is released was changed by somebody else meanwhile.
        """
        ledger = read_ledger(self.store)
        released = state_at(ledger.entries).release
        for attempt in range(1, ATTEMPTS + 1):
            decision = decide(ledger)
            if decision is None:
                return None
            try:
                append_entry(self.store, ledger, decision, self._now(ledger))
            except LedgerConflictError as error:
                ledger = read_ledger(self.store)
                if attempt == ATTEMPTS or state_at(ledger.entries).release != released:
                    raise _overtaken(decision, ledger) from error
            else:
                return decision
        raise AssertionError(released)  # the last attempt returned or raised

    def _now(self, ledger: Ledger) -> str:
        """Return the time of the next entry: never before the newest, also when clocks differ."""
        now = iso_ms(self.clock())
        return max(now, ledger.entries[-1].at) if ledger.entries else now


def _overtaken(decision: Decision, ledger: Ledger) -> LedgerConflictError:
    what = decision.kind.replace("_", " ")
    return LedgerConflictError(
        f"Somebody else decided first, so version {decision.version} of {decision.model} was not "
        f"{what}; {ledger.entries[-1].summary()}. Look at "
        "`ontime release ledger show`, and run "
        "it again if you still want it."
    )
