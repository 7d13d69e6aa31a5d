"""The reference page agrees with the declarations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.catalog import FEATURES
from features.contract import reference as module
from features.contract.reference import main, reference

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_page_in_docs_is_up_to_date() -> None:
    # Given docs/features.md / Then it is what the declarations give now
    assert main(["--check"]) == 0, "run `python -m features.contract.reference --write`"


def test_every_feature_has_one_row_with_all_that_is_declared() -> None:
    # Given the page / Then each feature has a row in it
    rows = [line for line in reference(FEATURES).splitlines() if line.startswith("| `")]
    for feature in FEATURES:
        (row,) = (line for line in rows if line.startswith(f"| `{feature.name}` | {feature.dtype}"))
        # And the row has its words
        assert feature.definition in row
        assert feature.null in row
        assert row.count("|") == 10


def test_windows_and_known_at_rules_are_described() -> None:
    # Given the page / Then it describes windows of each kind, and their known-at rules
    page = reference(FEATURES)
    for words in (
        "3 h before the prediction time | departures known before",
        "28 whole days before the prediction time | arrivals known before",
        "open at the prediction time | overdue known before",
        "latest in 6 h up to 3 h before the prediction time | weather known before",
        "1 h before the scheduled departure, to 1 h after it | published schedule",
        "from the prediction time to the scheduled departure | published schedule",
        "latest in 4 d up to the scheduled departure | departed_at known before",
    ):
        assert words in page


def test_an_outdated_page_fails_the_check_and_can_be_rewritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a page that is out of date
    page = tmp_path / "features.md"
    page.write_text("# Features of old\n")
    monkeypatch.setattr(module, "PAGE", page)
    # When it is checked / Then it fails, and names the command to run
    assert main(["--check"]) == 1
    assert "features.contract.reference --write" in capsys.readouterr().err
    # And once written it passes
    assert main(["--write"]) == 0
    assert main(["--check"]) == 0
    # And without an option it is printed
    assert main([]) == 0
    assert capsys.readouterr().out == page.read_text()


def test_a_missing_page_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given no page / When it is checked / Then that fails
    monkeypatch.setattr(module, "PAGE", tmp_path / "features.md")
    assert main(["--check"]) == 1
