"""Better parameters are compared on days the sweep has not seen, and proposed, never put in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import yaml

from pipelines.study.proposal import better_parameters, compared, write_proposal
from tests.training.made import part, trained
from tests.training.study.test_study_results import SWEEP
from tests.training.world import FEATURES, settings, with_parameters
from training.evaluate.bootstrap import Interval

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CURRENT = settings().model
GAIN = Interval(0.01, 0.001, 0.02)


def test_what_the_sweep_found_takes_the_place_of_what_is_in_use() -> None:
    found = better_parameters(CURRENT, {"leaves": 31.0, "iterations": 80.0, "learning_rate": 0.1})
    assert found == with_parameters(CURRENT, leaves=31, iterations=80, learning_rate=0.1)


def test_a_better_trial_is_compared_on_the_validate_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a sweep that found the parameters in use, a little better by chance
    monkeypatch.setattr("pipelines.study.proposal.model_features", lambda _: FEATURES)
    same = msgspec.structs.replace(
        SWEEP, parameters={"leaves": CURRENT.parameters.model_dump()["leaves"]}
    )
    score = trained().model.probabilities(part("validate").features)
    # When it is compared, Then the two are the same
    found = compared(same, part("train"), part("validate"), score, settings())
    assert found.advantage == Interval(0.0, 0.0, 0.0)
    assert not found.proposed


def test_without_a_better_trial_there_is_nothing_to_compare() -> None:
    best = msgspec.structs.replace(SWEEP, kept_auc=0.76)
    score = trained().model.probabilities(part("validate").features)
    assert compared(best, part("train"), part("validate"), score, settings()) == best


def test_a_proposal_is_what_conf_reads(tmp_path: Path) -> None:
    # Given parameters that are better beyond doubt, When they are proposed
    better = msgspec.structs.replace(SWEEP, advantage=GAIN)
    path = write_proposal(tmp_path, better, CURRENT)
    # Then the file has them in the form of conf/, and describes how to adopt them
    assert path is not None
    text = path.read_text()
    model = yaml.safe_load(text)["training"]["model"]
    assert settings(model=model).model == with_parameters(CURRENT, leaves=31)
    assert "AUC +0.0100 (+0.0010 to +0.0200)" in text
    assert "make run" in text


def test_an_old_proposal_is_deleted_if_no_trial_is_better(tmp_path: Path) -> None:
    write_proposal(tmp_path, msgspec.structs.replace(SWEEP, advantage=GAIN), CURRENT)
    assert write_proposal(tmp_path, SWEEP, CURRENT) is None
    assert list(tmp_path.iterdir()) == []
