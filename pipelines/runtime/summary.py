"""The summary of a run: text for the terminal, and the figures file for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.docs.openapi import EXAMPLE_REQUEST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from operations.ledger.ledger import Ledger
    from operations.ledger.state import LedgerState
    from pipelines.runtime.runner import StageReport

WIDTH = 22
BAR = 30


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """The results of a run.

    Attributes:
        home: The folder that holds everything Ontime makes.
        model: The registered model.
        store: The artifact store, with the ledger: a folder or a URI.
        tracking: Address of the MLflow tracking store.
        address: Where the service will answer.
        reports: One per stage that did not fail, in run order.
        seconds: How long the run took.
        ledger: All decisions, with those of this run.
        state: What holds after them.
    """

    home: Path
    model: str
    store: str
    tracking: str
    address: str
    reports: Sequence[StageReport]
    seconds: float
    ledger: Ledger
    state: LedgerState

    def outputs(self, stage: str) -> Mapping[str, Any]:
        """Return the outputs of a stage, of this run or its last success; none if it failed."""
        found = [report.outputs for report in self.reports if report.stage == stage]
        return found[0] if found else {}

    @property
    def champion(self) -> str | None:
        """The version that answers."""
        return self.state.release.champion.version if self.state.release.champion else None

    @property
    def champion_figures(self) -> Mapping[str, Any]:
        """The gates' measurements of the version that answers."""
        entry = self.ledger.about(self.champion, "gated") if self.champion else None
        return entry.evidence["figures"] if entry else {}

    @property
    def new_flights(self) -> int:
        """Flight rows that this run took in."""
        ran = any(report.stage == "ingest" and not report.skipped for report in self.reports)
        return int(self.outputs("ingest")["new"]["flights"]) if ran else 0


def figures_of(result: RunResult) -> dict[str, Any]:
    """Return the figures of a run; they count flights only, and `auc` is the champion's."""
    ingested, measured = result.outputs("ingest"), result.champion_figures
    return {
        "flights": ingested["received"]["flights"],
        "silver": ingested["kept"]["flights"],
        "quarantine": ingested["quarantine"]["flights"],
        "ingested_new": result.new_flights,
        "gold_hash": result.outputs("build_features")["gold_hash"],
        "auc": measured.get("auc"),
        "auc_naive": measured.get("auc_naive"),
        "model_version": int(result.champion) if result.champion else None,
        "seconds": round(result.seconds, 1),
        "seconds_by_stage": {report.stage: round(report.seconds, 1) for report in result.reports},
    }


def summary_of(result: RunResult) -> list[str]:
    """Return the summary, line by line."""
    return [
        "",
        _headline(result),
        *_data(result),
        *_model(result),
        *_places(result),
        *_times(result),
        *_next_commands(result),
    ]


def model_lines(model: str, judged: Mapping[str, Any]) -> list[str]:
    """Return how good a model is, beside the naive one.

    Args:
        model: What it is called.
        judged: The outputs of the stage evaluate.
    """
    figures = judged["figures"]
    interval = f"(95 % confidence: {figures['auc_low']:.3f} to {figures['auc_high']:.3f})"
    return [
        "",
        f"{'Model':<{WIDTH + 2}}{'AUC, test':>10}",
        f"  {model:<{WIDTH}}{figures['auc']:>10.3f}  {interval}",
        f"  {'naive (schedule only)':<{WIDTH}}{figures['auc_naive']:>10.3f}",
    ]


def _headline(result: RunResult) -> str:
    ran = [report.stage for report in result.reports if not report.skipped]
    if not ran:
        return (
            f"Nothing changed: no new flights, no new version; all {len(result.reports)} stages "
            f"skipped ({result.seconds:.1f} s)."
        )
    skipped = len(result.reports) - len(ran)
    also = f", {skipped} stages skipped as nothing changed for them" if skipped else ""
    return f"Done in {_duration(result.seconds)}: {result.new_flights:,} new flights{also}."


def _data(result: RunResult) -> list[str]:
    ingested, gold = result.outputs("ingest"), result.outputs("build_features")
    lines = ["", f"{'Data':<{WIDTH + 2}}{'silver':>10}{'quarantine':>12}"]
    lines += [
        f"  {source:<{WIDTH}}{rows:>10,}{ingested['quarantine'][source]:>12,}"
        for source, rows in sorted(ingested["kept"].items(), key=lambda kept: -kept[1])
    ]
    lines.append(f"  {gold['table']:<{WIDTH}}{gold['rows']:>10,}")
    reasons = ingested["reasons"]
    if reasons:
        lines.append("  in quarantine because:")
        lines += [f"    {rows:>8,}  {reason}" for reason, rows in reasons]
        lines.append("  row by row: make quarantine")
    return lines


def _model(result: RunResult) -> list[str]:
    judged, version = result.outputs("evaluate"), result.outputs("register")["version"]
    lines = model_lines(f"{result.model} version {version}", judged)
    if result.champion == version:
        return [*lines, f"  Version {version} is the champion: it answers requests."]
    promoted = result.outputs("promote")
    verdict = "its gates passed" if judged["passed"] else "; ".join(judged["reasons"])
    if promoted.get("outcome") == "wait":
        verdict = f"it waits; {'; '.join(promoted['reasons'])}"
    stays = f"version {result.champion}" if result.champion else "no version yet"
    return [*lines, f"  Version {version} is not the champion: {verdict}. Answering: {stays}."]


def _places(result: RunResult) -> list[str]:
    docs, report = result.outputs("ingest")["data_docs"], result.outputs("evaluate")["report"]
    return [
        "",
        "Look at",
        f"  {'model card':<{WIDTH}}{_shown(report)}",
        f"  {'data docs':<{WIDTH}}{_shown(docs)}",
        f"  {'ledger of decisions':<{WIDTH}}{_shown(result.store)}/ledger",
        f"  {'figures of this run':<{WIDTH}}{_shown(result.home / 'figures' / 'run.json')}",
    ]


def _times(result: RunResult) -> list[str]:
    if all(report.skipped for report in result.reports):
        return []
    longest = max(report.seconds for report in result.reports)
    lines = ["", "Where the time went"]
    for report in result.reports:
        bar = "#" * round(BAR * report.seconds / longest)
        lines.append(f"  {report.stage:<{WIDTH}}{report.seconds:>8.1f} s  {bar}".rstrip())
    return lines


def _next_commands(result: RunResult) -> list[str]:
    body = json.dumps(EXAMPLE_REQUEST)
    local = "sqlite:///"
    path = result.tracking.removeprefix(local)
    tracking = f"{local}{_shown(path)}" if result.tracking.startswith(local) else result.tracking
    return [
        "",
        "Next",
        "  make freshness",
        "  make serve",
        f"  curl {result.address}/model/predict -H 'content-type: application/json' -d '{body}'",
        f"  .venv/bin/mlflow ui --backend-store-uri {tracking}",
    ]


def _shown(path: Path | str) -> str:
    """Return a path as a person would type it here: without the folder they are in."""
    here = Path.cwd()
    return str(Path(path).relative_to(here) if Path(path).is_relative_to(here) else path)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
