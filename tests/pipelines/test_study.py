"""What a study reports, and that a model that is too good ends it in an error."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from pipelines import study as command
from pipelines.study import SuspectedLeakError, require_no_leak
from pipelines.study_report import lines_of
from tests.training.test_study import SWEEP, study
from training.bootstrap import Interval


def test_the_report_has_a_line_for_every_variant_and_size() -> None:
    text = "\n".join(lines_of(study(), None))
    for told in ("the model", "without the tail number", "100 flights", "8 trials in 60 s"):
        assert told in text
    assert "the parameters in use are the best" in text


@pytest.mark.parametrize(
    ("low", "proposal", "told"),
    [
        (0.001, Path("/home/proposed.yaml"), "put /home/proposed.yaml into conf/base.yaml"),
        (-0.001, None, "not better beyond doubt"),
    ],
)
def test_the_report_says_what_to_do_with_what_the_sweep_found(
    low: float, proposal: Path | None, told: str
) -> None:
    better = msgspec.structs.replace(SWEEP, advantage=Interval(0.01, low, 0.02))
    found = msgspec.structs.replace(study(), sweep=better)
    assert told in "\n".join(lines_of(found, proposal))


def test_a_model_that_is_too_good_is_an_error_with_its_figure() -> None:
    require_no_leak(study(), 0.95)
    with pytest.raises(SuspectedLeakError, match="a leak of the label is suspected"):
        require_no_leak(study(), 0.7)


def test_the_help_names_what_can_be_set(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--help"])
    text = capsys.readouterr().out
    assert all(name in text for name in ("--trials", "--minutes", "--workers"))
