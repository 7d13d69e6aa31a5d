from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from operations.ledger.entries import Kind, LedgerEntry, Release
from operations.ledger.ledger import Ledger
from operations.ledger.state import state_at
from pipelines.runtime.runner import StageReport
from pipelines.runtime.summary import RunResult, figures_of, summary_of
from pipelines.stages import STAGES
from serving.models.release_document import ReleasedVersion

FIGURES = {"auc": 0.7512, "auc_low": 0.744, "auc_high": 0.7583, "auc_naive": 0.6183}
REFUSED = {"auc": 0.61, "auc_low": 0.6, "auc_high": 0.62, "auc_naive": 0.6183}
HOME = Path.cwd() / ".ontime"
OUTPUTS: dict[str, dict[str, Any]] = {
    "ingest": {
        "received": {"flights": 336_776, "weather": 26_115},
        "new": {"flights": 336_776, "weather": 26_115},
        "kept": {"flights": 336_774, "weather": 26_115},
        "quarantine": {"flights": 2, "weather": 0},
        "reasons": [["flights: sched_dep_time 2460 is no clock time", 2]],
        "silver": {"flights": "a" * 64},
        "data_docs": str(HOME / "reports" / "data_docs" / "index.html"),
    },
    "build_features": {
        "table": "gold_features_h120",
        "version": 0,
        "gold_hash": "d" * 64,
        "rows": 336_774,
        "data_docs": "docs.html",
    },
    "train": {"run_id": "r" * 32},
    "evaluate": {
        "passed": True,
        "reasons": [],
        "figures": FIGURES,
        "report": str(HOME / "reports" / "card.html"),
    },
    "register": {"version": "1", "passed": True},
    "publish": {"version": "1", "manifest_sha256": "a" * 64, "items": 5_000},
    "promote": {"version": "1", "outcome": "promote"},
}


def entry(sequence: int, kind: Kind, version: str, **more: Any) -> LedgerEntry:
    return LedgerEntry(
        sequence=sequence,
        kind=kind,
        version=version,
        at=f"2026-03-01T10:00:0{sequence}.000Z",
        by="pipeline",
        reason="because",
        model="ontime",
        previous_sha256="0" * 64,
        evidence=more.get("evidence", {}),
        release=more.get("release"),
    )


RELEASED = (
    entry(1, "gated", "1", evidence={"passed": True, "figures": FIGURES}),
    entry(2, "promoted", "1", release=Release(champion=ReleasedVersion("1", "a" * 64))),
)


def result(
    *, skipped: bool = False, entries: tuple[LedgerEntry, ...] = RELEASED, **outputs: dict[str, Any]
) -> RunResult:
    reports = [
        StageReport(
            stage.name,
            skipped=skipped,
            seconds=0.01 if skipped else 10.0 * (place + 1),
            outputs=OUTPUTS[stage.name] | outputs.get(stage.name, {}),
        )
        for place, stage in enumerate(STAGES)
        if stage.name not in outputs or outputs[stage.name]
    ]
    return RunResult(
        home=HOME,
        model="ontime",
        store=str(HOME / "store"),
        tracking=f"sqlite:///{HOME}/mlflow.db",
        address="http://127.0.0.1:8000",
        reports=reports,
        seconds=0.4 if skipped else 161.0,
        ledger=Ledger(entries, tuple("c" * 64 for _ in entries)),
        state=state_at(entries),
    )


def test_the_summary_of_a_first_run_reports_rows_quality_places_times_and_next_steps() -> None:
    text = "\n".join(summary_of(result()))
    assert "Done in 2 min 41 s: 336,776 new flights." in text
    assert "flights                  336,774           2" in text
    assert "gold_features_h120       336,774" in text
    assert "2  flights: sched_dep_time 2460 is no clock time" in text
    assert "ontime version 1           0.751  (95 % confidence: 0.744 to 0.758)" in text
    assert "naive (schedule only)      0.618" in text
    assert "Version 1 is the champion: it answers requests." in text
    assert "model card            .ontime/reports/card.html" in text
    assert "data docs             .ontime/reports/data_docs/index.html" in text
    assert "ledger of decisions   .ontime/store/ledger" in text
    assert "ingest                    10.0 s  ####" in text
    assert "promote                   70.0 s  " + "#" * 30 in text
    assert "make serve" in text
    assert "curl http://127.0.0.1:8000/model/predict" in text
    assert "mlflow ui --backend-store-uri sqlite:///.ontime/mlflow.db" in text


def test_a_run_with_nothing_to_do_reports_that_and_shows_no_times() -> None:
    text = "\n".join(summary_of(result(skipped=True)))
    assert "Nothing changed: no new flights, no new version; all 7 stages skipped (0.4 s)." in text
    assert "Where the time went" not in text


def test_no_line_is_about_quarantine_when_it_is_empty() -> None:
    clean = result(ingest={"reasons": [], "quarantine": {"flights": 0, "weather": 0}})
    assert "in quarantine because" not in "\n".join(summary_of(clean))


def test_a_refused_version_is_reported_with_its_reasons_and_who_answers() -> None:
    # Given a champion, and a second version that its gates refused
    verdict = {"passed": False, "reasons": ["auc 0.610 is below 0.730"], "figures": REFUSED}
    entries = (*RELEASED, entry(3, "gated", "2", evidence=verdict))
    refused = result(
        entries=entries,
        evaluate=verdict,
        register={"version": "2", "passed": False},
        promote={},
    )
    # When it is summed up
    text = "\n".join(summary_of(refused))
    # Then it names the version that answers, and the figures are those of the champion
    expected = "Version 2 is not the champion: auc 0.610 is below 0.730. Answering: version 1."
    assert expected in text
    figures = figures_of(refused)
    assert (figures["model_version"], figures["auc"]) == (1, FIGURES["auc"])


def test_a_version_that_waits_for_a_person_is_reported_with_the_command_to_type() -> None:
    reasons = ["a person has to approve it: `ontime release approve`"]
    waiting = result(
        register={"version": "2", "passed": True},
        promote={"version": "2", "outcome": "wait", "reasons": reasons},
    )
    expected = f"Version 2 is not the champion: it waits; {reasons[0]}. Answering: version 1."
    assert expected in "\n".join(summary_of(waiting))


def test_without_any_champion_the_figures_have_no_version() -> None:
    figures = figures_of(result(entries=()))
    assert (figures["model_version"], figures["auc"], figures["auc_naive"]) == (None, None, None)
    assert "Answering: no version yet." in "\n".join(summary_of(result(entries=())))


def test_the_figures_have_the_agreed_keys_and_count_flights_only() -> None:
    figures = figures_of(result())
    assert figures == {
        "flights": 336_776,
        "silver": 336_774,
        "quarantine": 2,
        "ingested_new": 336_776,
        "gold_hash": "d" * 64,
        "auc": 0.7512,
        "auc_naive": 0.6183,
        "model_version": 1,
        "seconds": 161.0,
        "seconds_by_stage": {s.name: 10.0 * (n + 1) for n, s in enumerate(STAGES)},
    }


@pytest.mark.parametrize(("skipped", "new"), [(False, 336_776), (True, 0)])
def test_a_skipped_ingest_took_in_nothing_new(*, skipped: bool, new: int) -> None:
    assert figures_of(result(skipped=skipped))["ingested_new"] == new
