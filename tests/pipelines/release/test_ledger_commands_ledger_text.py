from __future__ import annotations

from typing import TYPE_CHECKING

from operations.release.timeline import standing_at
from operations.release.verification import Check
from pipelines.release.ledger_commands import checks_text, ledger_text, standing_text
from tests.operations.lives import ONE, TWO, Life

if TYPE_CHECKING:
    from pathlib import Path


def a_life(tmp_path: Path) -> Life:
    life = Life(tmp_path / "store")
    life.on_trial(ONE)
    life.ada.approve("1", reason="read the card")
    life.pipeline.promoted(ONE, rollout="direct", approval="required", reason="approved")
    life.on_trial(TWO)
    life.ada.roll_out(0.1, reason="no errors in shadow")
    return life


def test_the_lines_of_a_ledger_stand_below_each_other(tmp_path: Path) -> None:
    text = ledger_text(a_life(tmp_path).ledger, last=2)
    assert text == [
        "entry  when (UTC)           what         version  by        why",
        (
            "    8  2026-03-01 10:00:07  published          2  pipeline  "
            "its package is in the artifact store"
        ),
        (
            "    9  2026-03-01 10:00:08  rolled out         2  Ada       "
            "0% -> 10%: no errors in shadow"
        ),
    ]


def test_what_was_in_production_reads_as_an_answer(tmp_path: Path) -> None:
    standing = standing_at(a_life(tmp_path).ledger, "2026-03-01T10:01:00.000Z")
    assert standing_text(standing, "ontime") == [
        "At 2026-03-01 10:01:00.000 UTC",
        "version 1 of ontime was the champion.",
        "  since       2026-03-01 10:00:04.000, promoted by pipeline: approved (entry 5)",
        "  approval    2026-03-01 10:00:03.000, approved by Ada: read the card (entry 4)",
        "  gates       all gates passed (entry 2)",
        "  measured    AUC 0.750 (0.740 to 0.760), naive 0.620",
        "  run         run-1",
        f"  features    {'d' * 64}",
        f"  manifest    {'a' * 64}",
        "",
        "Version 2 was the challenger and answered 10% of the flights.",
        (
            "  since       2026-03-01 10:00:07.000, published by pipeline: its package is in the "
            "artifact store (entry 8)"
        ),
        "  gates       all gates passed (entry 7)",
        "  measured    AUC 0.750 (0.740 to 0.760), naive 0.620",
        "  run         run-2",
        f"  features    {'d' * 64}",
        f"  manifest    {'b' * 64}",
        "  weight set  2026-03-01 10:00:08.000, rolled out by Ada: no errors in shadow (entry 9)",
    ]


def test_a_gate_result_without_figures_has_no_line_for_them(tmp_path: Path) -> None:
    life = Life(tmp_path / "store")
    life.champion(ONE)
    life.pipeline.gated("1", passed=False, reasons=("too slow",), figures={"auc": 0.7})
    text = "\n".join(standing_text(standing_at(life.ledger, life.ledger.entries[-1].at), "ontime"))
    assert "gates refused it: too slow (entry 5)" in text
    assert "measured" not in text


def test_checks_are_told_with_what_was_found() -> None:
    checks = (Check("ledger", holds=True, found="4 entries"), Check("x", holds=False, found="no"))
    assert checks_text(checks) == ["ok    ledger  4 entries", "WRONG x       no"]
