"""The service's scorer scores flights with the exported model, and with the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from features.contract import feature_contract as contracts
from pipelines.release.exported_model import champion_of, export_figures, score
from serving.models.onnx_scorer import OnnxScorer
from tests.training.made import evaluated, part, scored, trained
from tests.training.world import settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from features.contract.feature_contract import Contract
    from training.evaluate.gates import Rival

HOW = settings().evaluation


class RegistryOf:
    """Stands for a registry whose champion, if there is one, has these files."""

    def __init__(self, contract: Contract, model: bytes, champion: str | None = "4") -> None:
        self._files = {"model.onnx": model, "contract.json": contracts.to_json(contract)}
        self._champion = champion

    def version_of(self, alias: str) -> str | None:
        return self._champion if alias == "champion" else None

    def files(self, version: str, names: Iterable[str]) -> dict[str, bytes]:
        assert version == self._champion
        return {name: self._files[name] for name in names}


def compared(registry: RegistryOf) -> Rival | None:
    """Return the champion of a registry beside the model of the small world."""
    candidate = trained().contract
    return champion_of(registry, part("test"), scored(), candidate=candidate, settings=HOW)


def test_the_exported_model_agrees_and_is_quick() -> None:
    # Given a trained model and its export
    made, sample = trained(), part("test")
    # When the service's scorer scores all flights, Then its probabilities equal scikit-learn's
    found = export_figures(made.onnx, made.contract, sample, scored().score)
    assert found.flights == len(sample)
    assert found.largest_difference < 1e-12
    assert 0 < found.row_microseconds < 50_000
    assert (found.bytes, found.problems) == (len(made.onnx), ())


def test_a_model_with_other_probabilities_is_measured() -> None:
    made, sample = trained(), part("test")
    wrong = scored().score.copy()
    wrong[7] += 0.25
    found = export_figures(made.onnx, made.contract, sample, wrong)
    assert found.largest_difference == pytest.approx(0.25)


def test_an_export_that_does_not_fit_its_contract_is_a_problem_not_a_crash() -> None:
    # Given a contract with one feature less than the model takes
    made = trained()
    short = msgspec.structs.replace(made.contract, features=made.contract.features[:-1])
    # When the export is measured, Then the problem is reported, and it can pass no gate
    found = export_figures(made.onnx, short, part("test"), scored().score)
    assert "where its contract asks for" in found.problems[0]
    assert found.largest_difference == 1.0


def test_without_a_champion_there_is_nothing_to_compare() -> None:
    registry = RegistryOf(trained().contract, trained().onnx, champion=None)
    assert compared(registry) is None


def test_the_champion_is_scored_on_the_same_flights() -> None:
    # Given the same model as champion
    made = trained()
    registry = RegistryOf(made.contract, made.onnx)
    # When it is compared with the candidate, Then neither is better, and its AUC is measured
    found = compared(registry)
    assert found is not None
    assert found.advantage is not None
    assert found.advantage.value == pytest.approx(0, abs=1e-9)
    assert found.auc == pytest.approx(roc_auc_score(scored().label, scored().score))
    # And so is every other metric of it, with the candidate's interval
    for name, value in evaluated().evaluation.model.items():
        assert msgspec.structs.astuple(found.metrics[name]) == pytest.approx(
            msgspec.structs.astuple(value)
        )
    assert found.conflicts == ()


def test_a_champion_that_reads_a_feature_in_another_unit_is_reported() -> None:
    made = trained()
    first, *others = made.contract.features
    strange = msgspec.structs.replace(first, unit="furlongs")
    contract = msgspec.structs.replace(made.contract, features=(strange, *others))
    found = compared(RegistryOf(contract, made.onnx))
    assert found is not None
    assert "furlongs in the other" in found.conflicts[0]


def test_a_champion_of_deleted_features_cannot_be_compared() -> None:
    made = trained()
    other = msgspec.structs.replace(made.contract.features[-1], name="moon")
    contract = msgspec.structs.replace(made.contract, features=(*made.contract.features, other))
    found = compared(RegistryOf(contract, made.onnx))
    assert found is not None
    assert found.advantage is None
    assert found.problem == "the feature table has no moon any more"


def test_many_flights_are_scored_in_batches_as_in_one() -> None:
    made, sample = trained(), part("train")
    found = score(OnnxScorer(made.onnx, made.contract), made.contract, sample, batch=100)
    expected = score(OnnxScorer(made.onnx, made.contract), made.contract, sample)
    assert np.array_equal(found, expected)
