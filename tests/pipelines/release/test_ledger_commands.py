"""`python -m pipelines.release.ledger_commands`: what a person asks of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pipelines.release.ledger_commands import main

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipelines.released import ReleasedHome


@pytest.fixture
def two_champions(released: ReleasedHome) -> ReleasedHome:
    released.champion()
    released.champion()
    return released


def test_show_is_a_line_for_each_decision(
    two_champions: ReleasedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show"]) == 0
    titles, *lines = capsys.readouterr().out.splitlines()
    assert titles.split()[:3] == ["entry", "when", "(UTC)"]
    assert len(lines) == len(two_champions.ledger.entries) == 8
    assert lines[-1].split()[3:6] == ["promoted", "2", "pipeline"]
    assert main(["show", "--last", "2"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == lines[-2:]


def test_at_tells_what_was_in_production_then_and_why(
    two_champions: ReleasedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given the instant of the first promotion
    promoted = two_champions.ledger.entries[3]
    # When it is asked for, with another offset
    assert main(["at", promoted.at.replace("Z", "+00:00")]) == 0
    # Then it tells the version and the evidence
    told = capsys.readouterr().out
    assert "version 1 of ontime was the champion." in told
    assert "promoted by pipeline: gates passed (entry 4)" in told
    assert "AUC 0.771 (0.744 to 0.791), naive 0.629" in told
    assert promoted.evidence["manifest_sha256"] in told


def test_before_the_first_promotion_none_answered(
    two_champions: ReleasedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    assert two_champions.home.is_dir()
    assert main(["at", "2013-01-01T10:00Z"]) == 0
    assert "no version of ontime was the champion: none answered." in capsys.readouterr().out


@pytest.mark.parametrize("time", ["2026-03-01T10:00", "yesterday"])
def test_a_time_that_is_none_is_told(time: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["at", time])
    assert time in capsys.readouterr().err


def test_verify_ends_with_0_only_if_all_is_well(
    two_champions: ReleasedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify"]) == 0
    assert all(line.startswith("ok") for line in capsys.readouterr().out.splitlines())
    # Given a version that answers and was deleted from the registry
    two_champions.context.registry._client.delete_model_version("ontime", "2")
    # When it is verified, Then that is told
    assert main(["verify"]) == 1
    told = capsys.readouterr()
    assert "WRONG registry has the champion" in told.out
    assert "not as it should be: registry has the champion, aliases" in told.err


def test_export_is_all_of_it_with_checksums(
    two_champions: ReleasedHome, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export"]) == 0
    exported = json.loads(capsys.readouterr().out)
    assert [entry["sha256"] for entry in exported] == list(two_champions.ledger.checksums)
    assert [entry["previous_sha256"] for entry in exported[1:]] == [
        entry["sha256"] for entry in exported[:-1]
    ]
    assert main(["export", "--output", str(tmp_path / "ledger.json")]) == 0
    assert json.loads((tmp_path / "ledger.json").read_text()) == exported


def test_an_empty_ledger_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert home.is_dir()
    assert main(["show"]) == 0
    assert capsys.readouterr().out == "The ledger is empty: nothing was decided yet.\n"


def test_a_broken_ledger_is_one_sentence(
    two_champions: ReleasedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    (two_champions.home / "store" / "ledger" / "00000002.json").unlink()
    assert main(["show"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_it_is_a_command(two_champions: ReleasedHome) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.release.ledger_commands", "at", "2013-01-01T10:00Z"],
        env={**os.environ, "ONTIME_HOME": str(two_champions.home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("At 2013-01-01 10:00:00.000 UTC\n")
