"""Every kind of model: fitted, exported, explained and searched alike, equal to its estimator."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import optuna
import pytest

from features.contract.feature_contract import contract_of
from serving.models.explanations import Explainer
from serving.models.model_loader import open_scorer
from serving.models.python_scorer import PythonScorer
from serving.models.scorer import require_self_test
from tests.training.made import part
from tests.training.world import FEATURES, settings
from training.evaluate.learning_curve import learning_curve
from training.evaluate.quality_metrics import AUC, measure, ranking
from training.fit import self_test_of
from training.models.fitted_model import FittedModel, fit_model
from training.models.interface import NO_ITERATIONS, IntegerRange
from training.models.kinds import DEFAULT_KIND, KINDS
from training.models.kinds.lightgbm import MissingLibraryError
from training.study.trial import fit_trial, search_point, suggested, trial_flights

if TYPE_CHECKING:
    import pandas as pd

    from serving.models.scorer import FeatureValue
    from training.models.model_settings import ModelSettings

LIMIT = 1e-12
SMALL: dict[str, dict[str, Any]] = {
    "hist_gradient_boosting": {"iterations": 25, "leaves": 8, "leaf_rows": 10},
    "lightgbm": {"iterations": 25, "leaves": 8, "leaf_rows": 10},
}

every_kind = pytest.mark.parametrize("kind", sorted(KINDS))


def model_of(kind: str, **parameters: Any) -> ModelSettings:
    return settings(model={"kind": kind, kind: SMALL.get(kind, {}) | parameters}).model


@cache
def fitted(kind: str) -> FittedModel:
    return fit_model(part("train"), part("validate"), FEATURES, model_of(kind))


@cache
def odd_rows() -> pd.DataFrame:
    """Return flights not trained on, some with nothing known, some with unknown categories."""
    rows = part("test").features.copy()
    numbers = [each.name for each in FEATURES if each.dtype == "float64"]
    texts = [each.name for each in FEATURES if each.dtype == "string"]
    rows.loc[:20, numbers] = np.nan
    rows.loc[10:40, texts] = ""
    rows.loc[30:60, texts] = "no such category"
    for at, name in enumerate(numbers):  # also where training saw no missing value
        rows.loc[61 + 5 * at : 65 + 5 * at, name] = np.nan
    return rows


def as_served(rows: pd.DataFrame) -> list[list[FeatureValue]]:
    present = rows.notna() & (rows != "")
    found: list[list[FeatureValue]] = rows.astype(object).where(present, None).to_numpy().tolist()
    return found


def contract() -> Any:
    return contract_of(120, 0.3, features=FEATURES)


@every_kind
def test_it_ranks_flights_that_it_was_not_trained_on(kind: str) -> None:
    test = part("test")
    ranked = ranking(test.label, fitted(kind).probabilities(test.features), bins=10)
    assert measure(ranked, np.ones(len(test)), ())[AUC] > 0.7


@every_kind
def test_the_export_gives_the_probabilities_of_the_estimator(kind: str) -> None:
    # Given a model, and flights with missing and unknown values
    model, rows = fitted(kind), odd_rows()
    numbers = [each.name for each in FEATURES if each.dtype == "float64"]
    texts = [each.name for each in FEATURES if each.dtype == "string"]
    session = onnxruntime.InferenceSession(model.to_onnx(), providers=["CPUExecutionProvider"])
    # When the exported graph scores them, Then it gives the same
    (found,) = session.run(
        ["probability"],
        {
            "numeric": rows[numbers].to_numpy(np.float64),
            "categorical": rows[texts].to_numpy(object),
        },
    )
    assert np.abs(found - model.probabilities(rows)).max() < LIMIT


@every_kind
def test_the_scorer_in_python_gives_the_bits_of_onnxruntime(kind: str) -> None:
    rows, exported = as_served(odd_rows()), fitted(kind).to_onnx()
    alone = open_scorer(exported, contract(), with_onnxruntime=True)
    expected = [alone.score([row])[0] for row in rows]
    assert PythonScorer(exported, contract()).score(rows) == expected


@every_kind
def test_its_self_test_holds(kind: str) -> None:
    from msgspec import json  # noqa: PLC0415 - beside its one use

    from serving.models.model_package import SelfTest  # noqa: PLC0415 - as above

    model = fitted(kind)
    test = json.decode(self_test_of(model, part("validate").features), type=SelfTest)
    for with_onnxruntime in (True, False):
        require_self_test(
            open_scorer(model.to_onnx(), contract(), with_onnxruntime=with_onnxruntime), test
        )


@every_kind
def test_equal_inputs_give_equal_bytes(kind: str) -> None:
    again = fit_model(part("train"), part("validate"), FEATURES, model_of(kind))
    assert again.to_onnx() == fitted(kind).to_onnx()


@every_kind
def test_reasons_add_up_to_the_log_odds(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given an explainer of a model whose features are declared
    declared = {each.name: each for each in FEATURES}
    monkeypatch.setattr(
        "serving.models.explanations.selected", lambda names: [declared[name] for name in names]
    )
    exported = fitted(kind).to_onnx()
    explainer, scorer = Explainer(exported, contract()), PythonScorer(exported, contract())
    # Then base and effects are the log-odds, and the cause of lateness has an effect
    for row in as_served(odd_rows()):
        total = explainer.base + sum(explainer.effects(row))
        assert total == pytest.approx(scorer.log_odds(row), abs=1e-9)
    row = as_served(odd_rows())[-1]
    assert explainer.explain(row).reasons


@every_kind
def test_the_learning_curve_ends_with_the_model(kind: str) -> None:
    model, validate = fitted(kind), part("validate")
    curve = learning_curve(model, part("train"), validate)
    if model.iterations == NO_ITERATIONS:
        assert curve == ()
        return
    ranked = ranking(validate.label, model.probabilities(validate.features), bins=15)
    assert curve[-1].trees == model.iterations == 25
    assert curve[-1].validate_auc == measure(ranked, np.ones(len(validate)), ())[AUC]


@every_kind
def test_the_default_parameters_are_valid_and_described(kind: str) -> None:
    model = settings(model={"kind": kind}).model
    assert model.parameters == KINDS[kind].parameters()
    assert KINDS[kind].describe(model.parameters).endswith(".")


@every_kind
def test_every_corner_of_the_search_space_is_valid(kind: str) -> None:
    space = KINDS[kind].search_space
    assert space
    for corner in ("low", "high"):
        chosen = {name: getattr(of, corner) for name, of in space.items()}
        KINDS[kind].parameters.model_validate(chosen)
    assert set(search_point(model_of(kind))) == set(space)


@every_kind
def test_a_sweep_tries_its_parameters_and_prunes_what_has_iterations(kind: str) -> None:
    # Given a sweep whose second trial is stopped at its first report
    flights = trial_flights(part("train"), part("validate"), FEATURES)
    current, reports = model_of(kind), []
    pruner = optuna.pruners.ThresholdPruner(lower=0.99)
    study = optuna.create_study(
        direction="maximize", pruner=pruner, sampler=optuna.samplers.RandomSampler(seed=0)
    )
    study.enqueue_trial(search_point(current))

    def tried(trial: optuna.Trial) -> float:
        def report(iterations: int, auc: float) -> None:
            reports.append((trial.number, iterations))
            trial.report(auc, iterations)
            if trial.number and trial.should_prune():
                raise optuna.TrialPruned

        return fit_trial(flights, current, suggested(trial, current, 20), 10, report)[0]

    study.optimize(tried, n_trials=2)
    # Then the first was fitted whole, and the second stopped
    first, second = study.trials
    assert first.value is not None
    assert first.value > 0.6
    assert second.state is optuna.trial.TrialState.PRUNED
    iterates = fitted(kind).iterations != NO_ITERATIONS
    expected = [(0, 10), (0, 20), (1, 10)] if iterates else [(0, 0), (1, 0)]
    assert reports == expected


@pytest.mark.parametrize("kind", ["hist_gradient_boosting", "lightgbm"])
def test_it_stops_early_if_configured(kind: str) -> None:
    # Given a validate part whose labels are noise, so that more iterations never help
    validate = part("validate")
    noise = np.random.default_rng(0).integers(0, 2, len(validate)).astype(np.int8)
    noisy = type(validate)(validate.flights, validate.features, noise)
    # Then it stops before the last iteration, and what it exports is what it predicts
    model = fit_model(part("train"), noisy, FEATURES, model_of(kind, patience=1))
    assert model.iterations < 25
    found = PythonScorer(model.to_onnx(), contract()).score(as_served(odd_rows()))
    assert np.abs(found - model.probabilities(odd_rows())).max() < LIMIT


def test_lightgbm_trees_without_a_branch_are_exported_too() -> None:
    settings_of_stumps = model_of("lightgbm", leaf_rows=10_000)
    model = fit_model(part("train"), part("validate"), FEATURES, settings_of_stumps)
    found = PythonScorer(model.to_onnx(), contract()).score(as_served(odd_rows()))
    assert np.abs(found - model.probabilities(odd_rows())).max() < LIMIT


def test_a_missing_library_is_named_with_the_way_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(MissingLibraryError, match="pip install lightgbm"):
        fit_model(part("train"), part("validate"), FEATURES, model_of("lightgbm"))


def test_the_default_is_there_and_ranges_of_integers_are_whole() -> None:
    assert DEFAULT_KIND in KINDS
    ranges = [of for kind in KINDS.values() for of in kind.search_space.values()]
    assert all(isinstance(of.low, int) for of in ranges if isinstance(of, IntegerRange))
