"""Stage register: registers the evaluated model; the challenger alias, if its gates passed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operations.release.deciders import PIPELINE
from operations.release.decisions import Decisions
from operations.release.reconciliation import follow_ledger
from pipelines.runtime.context import StageOutcome

if TYPE_CHECKING:
    from pipelines.runtime.context import RunContext


def run(context: RunContext) -> StageOutcome:
    """Register the trained model, record the verdict of its gates, and set its alias.

    A version is registered even if its gates refused it, so that the ledger can say why it never
    answered; it gets no alias then.

    Args:
        context: What every stage is given.

    Raises:
        RegistryError: The training run is not there, or holds no model.
        LedgerError: The ledger has another model under this version: it is of another registry.
        LedgerConflictError: Somebody else decided something meanwhile.
    """
    name = context.settings.serving.model_name
    trained, judged = context.outputs("train"), context.outputs("evaluate")
    made = context.registry.register(str(trained["run_id"]))
    version = made.version
    decisions = Decisions(store=context.artifacts, model=name, by=PIPELINE)
    gold = context.outputs("build_features")
    evidence = {"run_id": made.run_id, "gold_hash": gold["gold_hash"]}
    decisions.registered(version, evidence)
    passed, reasons = bool(judged["passed"]), tuple(judged["reasons"])
    decisions.gated(version, passed=passed, reasons=reasons, figures=judged["figures"])
    follow_ledger(context.artifacts, context.registry)
    verdict = "its gates passed" if passed else "its gates refused it, so it gets no alias"
    note = f"{name} version {version}: {verdict}"
    return StageOutcome({"version": version, "passed": passed}, (note,))
