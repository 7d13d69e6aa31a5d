"""The results of a study have figures for every variant, and report when one is better."""

from __future__ import annotations

import msgspec
import pytest

from tests.training.made import evaluated
from training.evaluate.bootstrap import Interval
from training.evaluate.quality_metrics import AUC
from training.study.study_results import SizePoint, Study, SweepResult, to_json, variant_of

SWEEP = SweepResult("sweep-1", 8, 5, 3, 60.0, 0.75, 0.76, {"leaves": 31})


def study() -> Study:
    evaluation = evaluated().evaluation
    named = (("", "the model"), ("no_tail", "without the tail number"))
    variants = tuple(
        variant_of(evaluation, name=name, title=title, horizon_min=120, features=5)
        for name, title in named
    )
    return Study(variants, (SizePoint(100, 0.7),), SWEEP)


def test_the_model_itself_has_the_plain_names_and_the_others_their_own() -> None:
    figures, auc = study().figures, evaluated().evaluation.model[AUC]
    assert (figures["auc"], figures["auc_low"], figures["auc_high"]) == (
        auc.value, auc.low, auc.high,
    )  # fmt: skip
    wanted = {"auc_naive", "ece", "slices_below_naive"}
    assert wanted | {f"{name}_no_tail" for name in wanted} <= set(figures)
    assert figures["auc_no_tail"] == auc.value
    assert figures["sweep_trials"] == 8


@pytest.mark.parametrize(
    ("advantage", "proposed"),
    [
        (None, False),
        (Interval(0.01, -0.001, 0.02), False),
        (Interval(0.01, 0.001, 0.02), True),
    ],
)
def test_only_what_is_better_beyond_doubt_is_proposed(
    advantage: Interval | None, *, proposed: bool
) -> None:
    assert msgspec.structs.replace(SWEEP, advantage=advantage).proposed is proposed


def test_it_survives_json() -> None:
    assert msgspec.json.decode(to_json(study()), type=Study) == study()
