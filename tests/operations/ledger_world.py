"""A ledger in a store of its own, with a second between each two decisions."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from operations.ledger.ledger import Ledger, read_ledger
from operations.ledger.state import LedgerState, state_at
from operations.release.decisions import Decisions, Interventions
from serving.models.release_document import ReleasedVersion
from serving.stores.artifacts.local import FolderArtifactStore

if TYPE_CHECKING:
    from pathlib import Path

ONE = ReleasedVersion("1", "a" * 64)
TWO = ReleasedVersion("2", "b" * 64)
THREE = ReleasedVersion("3", "c" * 64)
START = 1_772_359_200_000  # 2026-03-01T10:00Z


class LedgerWorld:
    """Decisions of the pipeline and of Ada about the versions of one model."""

    def __init__(self, folder: Path) -> None:
        ticks = count(START, 1000)
        self.store = FolderArtifactStore(folder)
        self.clock = lambda: next(ticks)
        self.pipeline = Decisions(store=self.store, model="ontime", by="pipeline", clock=self.clock)
        self.ada = Interventions(store=self.store, model="ontime", by="Ada", clock=self.clock)

    def publish(self, version: ReleasedVersion, *refusals: str) -> None:
        """Register, gate and publish a version."""
        number = version.version
        evidence = {"run_id": f"run-{number}", "gold_hash": "d" * 64}
        self.pipeline.registered(number, evidence)
        figures = {"auc": 0.75, "auc_low": 0.74, "auc_high": 0.76, "auc_naive": 0.62}
        self.pipeline.gated(number, passed=not refusals, reasons=refusals, figures=figures)
        self.pipeline.published(version)

    def champion(self, version: ReleasedVersion) -> None:
        """Make a version the champion after its gates passed."""
        self.publish(version)
        self.pipeline.promoted(version, rollout="direct", reason="gates passed")

    @property
    def ledger(self) -> Ledger:
        return read_ledger(self.store)

    @property
    def state(self) -> LedgerState:
        return state_at(self.ledger.entries)

    @property
    def kinds(self) -> list[str]:
        return [entry.kind for entry in self.ledger.entries]
