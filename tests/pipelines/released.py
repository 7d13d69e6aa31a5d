"""A home with a real registry and real packages, whose versions were never trained."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from operations.ledger.ledger import Ledger, read_ledger
from operations.ledger.state import LedgerState, state_at
from operations.release.decisions import Decisions
from operations.release.reconciliation import follow_ledger
from pipelines.runtime.context import RunContext
from pipelines.settings import load_settings
from serving.models.release_document import ReleasedVersion
from serving.online.network import write_network
from serving.stores.online.sqlite import SqliteOnlineStore
from tests.serving.support import NETWORK, publish
from training.tracking.run_files import FINGERPRINT_TAG, MODEL_TAG

if TYPE_CHECKING:
    from pathlib import Path


class ReleasedHome:
    """A home below `ONTIME_HOME`, in which versions come and go.

    Args:
        home: The folder, empty.
        tracking_store: The SQLite file of a tracking store without runs.
    """

    def __init__(self, home: Path, tracking_store: Path) -> None:
        shutil.copy(tracking_store, home / "mlflow.db")
        online = SqliteOnlineStore(home / "serving.db")
        write_network(online, NETWORK)
        online.close()
        self.home = home
        self.context = RunContext(load_settings("dev"))

    def on_trial(self, *, probability: float = 0.25) -> str:
        """Register and publish another version; return its number."""
        context = self.context
        made = len(context.registry.versions()) + 1
        tags = {FINGERPRINT_TAG: f"fingerprint-{made}", MODEL_TAG: "file:///a/model"}
        with context.tracking.open_run("one", tags=tags) as run_id:
            pass
        version = context.registry.register(run_id).version
        pipeline = Decisions(store=context.artifacts, model="ontime", by="pipeline")
        pipeline.registered(version, {"run_id": run_id, "gold_hash": "d" * 64})
        figures = {"auc": 0.771, "auc_low": 0.744, "auc_high": 0.791, "auc_naive": 0.629}
        pipeline.gated(version, passed=True, reasons=(), figures=figures)
        manifest = publish(context.artifacts, version, probability)
        pipeline.published(ReleasedVersion(version, manifest))
        follow_ledger(context.artifacts, context.registry)
        return version

    def champion(self, *, probability: float = 0.25) -> str:
        """Make another version the champion; return its number."""
        version = self.on_trial(probability=probability)
        challenger = self.state.release.challenger
        assert challenger is not None
        pipeline = Decisions(store=self.context.artifacts, model="ontime", by="pipeline")
        pipeline.promoted(challenger, rollout="direct", reason="gates passed")
        follow_ledger(self.context.artifacts, self.context.registry)
        return version

    @property
    def ledger(self) -> Ledger:
        return read_ledger(self.context.artifacts)

    @property
    def state(self) -> LedgerState:
        return state_at(self.ledger.entries)

    @property
    def aliases(self) -> dict[str, str | None]:
        registry = self.context.registry
        return {alias: registry.version_of(alias) for alias in ("champion", "challenger")}
