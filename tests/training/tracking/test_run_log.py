"""A run holds everything that is known of a fitted model, which can be loaded again."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from features.contract import feature_contract as contracts
from tests.training.made import LINEAGE, part, trained
from tests.training.world import FEATURES, settings
from training.fit import train
from training.models.kinds import DEFAULT_KIND
from training.registry.model_registry import Registry
from training.tracking import lineage, run_files
from training.tracking.run_files import RunFileError, mlflow_at, read_file
from training.tracking.run_log import kind_of, load_models, log_training, params_of
from training.tracking.tracking_store import Tracking

if TYPE_CHECKING:
    from pathlib import Path

    from training.fit import Trained
    from training.settings import TrainingSettings


def log(
    tracking: Tracking, made: Trained | None = None, how: TrainingSettings | None = None
) -> str:
    """Return a finished training run."""
    tags = {run_files.FINGERPRINT_TAG: LINEAGE.fingerprint}
    with tracking.open_run("one", tags=tags) as run_id:
        log_training(
            tracking,
            run_id,
            trained=made or trained(),
            example=part("validate"),
            lineage=LINEAGE,
            settings=how or settings(),
        )
    return run_id


class Logged(NamedTuple):
    """A finished training run that tests only read."""

    tracking: Tracking
    run_id: str


@pytest.fixture(scope="module")
def logged(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Logged:
    folder = tmp_path_factory.mktemp("logged")
    shutil.copy(empty_store, folder / "mlflow.db")
    store, artifacts = f"sqlite:///{folder / 'mlflow.db'}", (folder / "artifacts").as_uri()
    tracking = Tracking(store, "ontime", artifacts)
    return Logged(tracking, log(tracking))


def test_the_run_has_parameters_metrics_and_where_it_comes_from(logged: Logged) -> None:
    tracking, run_id = logged
    # Given a finished training run, When it is read
    data = tracking.client.get_run(run_id).data
    # Then it has the parameters, dotted, and the split's instants
    assert data.params == params_of(settings())
    assert data.params["model.iterations"] == "25"
    assert data.params["split.test_from"].startswith("2013-01-31T12:00:00")
    # And the metrics, the commit, the lock and the table
    metrics = {name: value for name, value in data.metrics.items() if name[:6] != "curve_"}
    assert metrics == pytest.approx(trained().metrics)
    assert data.tags["mlflow.source.git.commit"] == "c" * 40
    assert data.tags["ontime.lock_sha256"] == "d" * 64
    assert data.tags["ontime.table"] == "gold_features_h120 version 3"


def test_the_feature_table_is_a_dataset_of_each_part(logged: Logged) -> None:
    tracking, run_id = logged
    inputs = tracking.client.get_run(run_id).inputs
    assert inputs is not None
    found = {
        each.dataset.name: (each.dataset.source, each.tags[0].value)
        for each in inputs.dataset_inputs
    }
    assert {name: use for name, (_, use) in found.items()} == {
        "gold_features_h120_train": "training",
        "gold_features_h120_validate": "validation",
        "gold_features_h120_test": "testing",
        "silver_flights": "source",
    }
    assert '"delta_table_version": 3' in found["gold_features_h120_train"][0]
    assert '"delta_table_version": 5' in found["silver_flights"][0]
    # And each has its content hash, the parts their instants
    profiles = {each.dataset.name: str(each.dataset.profile) for each in inputs.dataset_inputs}
    assert "ab" * 32 in profiles["gold_features_h120_test"]
    assert "2013-01-31T12:00:00" in profiles["gold_features_h120_test"]
    assert "cd" * 32 in profiles["silver_flights"]


def test_the_learning_curve_is_a_metric_by_trees(logged: Logged) -> None:
    tracking, run_id = logged
    found = tracking.client.get_metric_history(run_id, "curve_validate_auc")
    assert {each.step: each.value for each in found} == {
        point.trees: point.validate_auc for point in trained().curve
    }


def test_everything_a_server_needs_is_exported(logged: Logged) -> None:
    tracking, run_id = logged
    found = {path: read_file(tracking.client, run_id, path) for path in run_files.TRAINED_FILES}
    assert found[run_files.MODEL_FILE] == trained().onnx
    assert found[run_files.SELF_TEST_FILE] == trained().self_test
    assert contracts.from_json(found[run_files.CONTRACT_FILE]) == trained().contract
    assert lineage.from_json(found[run_files.LINEAGE_FILE]) == LINEAGE
    assert tracking.finished_run(LINEAGE.fingerprint, run_files.TRAINED_FILES) == run_id


def test_both_models_are_loaded_as_they_were(logged: Logged) -> None:
    tracking, run_id = logged
    # Given a finished run, When its models are loaded
    model, naive, contract = load_models(tracking, run_id)
    # Then their probabilities are equal, bit for bit
    features = part("test").features
    for one, other in ((model, trained().model), (naive, trained().naive)):
        assert (one.probabilities(features) == other.probabilities(features)).all()
    assert contract == trained().contract


def test_models_of_other_kinds_are_loaded_as_they_were(tracking: Tracking) -> None:
    # Given a model and a naive model of two other kinds, logged
    other = settings(model={"kind": "lightgbm"}, naive={"kind": "logistic_regression"})
    parts = part("train"), part("validate")
    made = train(*parts, horizon_min=120, settings=other, declared=FEATURES)
    run_id = log(tracking, made, other)
    assert tracking.client.get_run(run_id).data.params["model.kind"] == "lightgbm"
    # When they are loaded, Then they give the same, bit for bit
    model, naive, _ = load_models(tracking, run_id)
    features = part("test").features
    for one, fitted in ((model, made.model), (naive, made.naive)):
        assert one.kind is fitted.kind
        assert (one.probabilities(features) == fitted.probabilities(features)).all()


def test_a_run_from_before_there_were_kinds_is_of_the_default_kind(logged: Logged) -> None:
    # Given a run whose parameters do not name a kind
    tracking, run_id = logged
    params = tracking.client.get_run(run_id).data.params
    assert (params["model.kind"], params["naive.kind"]) == (DEFAULT_KIND, DEFAULT_KIND)
    assert kind_of(dict.fromkeys(["model.iterations"], "25"), "model").name == DEFAULT_KIND


def test_the_registered_model_can_be_loaded_with_plain_mlflow(logged: Logged) -> None:
    tracking, run_id = logged
    # Given a registered version with an alias
    registry = Registry(tracking.store, "delays")
    registry.point("champion", registry.register(run_id).version)
    # When it is loaded by that alias
    with mlflow_at(tracking.store) as mlflow:
        model = mlflow.pyfunc.load_model("models:/delays@champion")
    # Then it has a signature, and gives both probabilities
    features = part("test").features.head(5)
    expected = trained().model.probabilities(features)
    assert model.metadata.signature.inputs.input_names() == [each.name for each in FEATURES]
    assert np.allclose(model.predict(features)[:, 1], expected, atol=0)


def test_deleted_models_are_reported(tracking: Tracking) -> None:
    run_id = log(tracking)
    tracking.client.set_tag(run_id, run_files.MODEL_TAG, "models:/m-gone")
    with pytest.raises(RunFileError, match=f"The models of run {run_id} cannot be loaded"):
        load_models(tracking, run_id)


def test_a_run_without_a_contract_is_reported(tracking: Tracking) -> None:
    with tracking.open_run("one", tags={}) as made:
        pass
    with pytest.raises(RunFileError, match=r"has no file exported/contract\.json"):
        load_models(tracking, made)
