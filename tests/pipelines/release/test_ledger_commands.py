"""The ledger commands: what they print, and their exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from operations.release.timeline import production_at
from operations.release.verification import Check
from pipelines.cli import execute
from pipelines.release.ledger_commands import (
    checks_text,
    ledger_text,
    production_text,
)
from tests.operations.ledger_world import ONE, TWO, LedgerWorld

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipelines.released import ReleasedHome
LEDGER = ["release", "ledger"]


@pytest.fixture
def two_champions(released: ReleasedHome) -> ReleasedHome:
    released.champion()
    released.champion()
    return released


def test_show_is_a_line_for_each_decision(
    two_champions: ReleasedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute([*LEDGER, "show"]) == 0
    titles, *lines = capsys.readouterr().out.splitlines()
    assert titles.split()[:3] == ["entry", "when", "(UTC)"]
    assert len(lines) == len(two_champions.ledger.entries) == 8
    assert lines[-1].split()[3:6] == ["promoted", "2", "pipeline"]
    assert execute([*LEDGER, "show", "--last", "2"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == lines[-2:]


def test_at_prints_what_was_in_production_then_and_why(
    two_champions: ReleasedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given the instant of the first promotion
    promoted = two_champions.ledger.entries[3]
    # When it is requested, with another offset
    assert execute([*LEDGER, "at", promoted.at.replace("Z", "+00:00")]) == 0
    # Then it prints the version and the evidence
    output = capsys.readouterr().out
    assert "version 1 of ontime was the champion." in output
    assert "promoted by pipeline: gates passed (entry 4)" in output
    assert "AUC 0.771 (0.744 to 0.791), naive 0.629" in output
    assert promoted.evidence["manifest_sha256"] in output


def test_before_the_first_promotion_no_version_answered(
    two_champions: ReleasedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    assert two_champions.home.is_dir()
    assert execute([*LEDGER, "at", "2013-01-01T10:00Z"]) == 0
    assert "no version of ontime was the champion: none answered." in capsys.readouterr().out


@pytest.mark.parametrize("time", ["2026-03-01T10:00", "yesterday"])
def test_an_invalid_time_is_reported(time: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute([*LEDGER, "at", time]) == 1
    assert time in capsys.readouterr().err


def test_verify_ends_with_0_only_if_all_is_well(
    two_champions: ReleasedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute([*LEDGER, "verify"]) == 0
    assert all(line.startswith("ok") for line in capsys.readouterr().out.splitlines())
    # Given a version that answers and was deleted from the registry
    two_champions.context.tracking.client.delete_model_version("ontime", "2")
    # When it is verified, Then that is reported
    assert execute([*LEDGER, "verify"]) == 1
    output = capsys.readouterr()
    assert "WRONG registry has the champion" in output.out
    assert "not as it should be: registry has the champion, aliases" in output.err


def test_export_is_all_of_it_with_checksums(
    two_champions: ReleasedHome, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute([*LEDGER, "export"]) == 0
    exported = json.loads(capsys.readouterr().out)
    assert [entry["sha256"] for entry in exported] == list(two_champions.ledger.checksums)
    assert [entry["previous_sha256"] for entry in exported[1:]] == [
        entry["sha256"] for entry in exported[:-1]
    ]
    assert execute([*LEDGER, "export", "--output", str(tmp_path / "ledger.json")]) == 0
    assert json.loads((tmp_path / "ledger.json").read_text()) == exported


def test_an_empty_ledger_is_reported(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert home.is_dir()
    assert execute([*LEDGER, "show"]) == 0
    assert capsys.readouterr().out == "The ledger is empty: nothing was decided yet.\n"


def test_a_broken_ledger_is_reported_in_one_sentence(
    two_champions: ReleasedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    (two_champions.home / "store" / "ledger" / "00000002.json").unlink()
    assert execute([*LEDGER, "show"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_it_is_a_command(two_champions: ReleasedHome) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *LEDGER, "at", "2013-01-01T10:00Z"],
        env={**os.environ, "ONTIME_HOME": str(two_champions.home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("At 2013-01-01 10:00:00.000 UTC\n")


def a_world(tmp_path: Path) -> LedgerWorld:
    world = LedgerWorld(tmp_path / "store")
    world.publish(ONE)
    world.ada.approve("1", reason="read the card")
    world.pipeline.promoted(ONE, rollout="direct", approval="required", reason="approved")
    world.publish(TWO)
    world.ada.roll_out(0.1, reason="no errors in shadow")
    return world


def test_the_lines_of_a_ledger_stand_below_each_other(tmp_path: Path) -> None:
    text = ledger_text(a_world(tmp_path).ledger, last=2)
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
    state = production_at(a_world(tmp_path).ledger, "2026-03-01T10:01:00.000Z")
    assert production_text(state, "ontime") == [
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
    world = LedgerWorld(tmp_path / "store")
    world.champion(ONE)
    world.pipeline.gated("1", passed=False, reasons=("too slow",), figures={"auc": 0.7})
    text = "\n".join(
        production_text(production_at(world.ledger, world.ledger.entries[-1].at), "ontime")
    )
    assert "gates refused it: too slow (entry 5)" in text
    assert "measured" not in text


def test_checks_are_printed_with_what_was_found() -> None:
    checks = (Check("ledger", holds=True, found="4 entries"), Check("x", holds=False, found="no"))
    assert checks_text(checks) == ["ok    ledger  4 entries", "WRONG x       no"]
