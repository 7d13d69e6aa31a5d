"""Configuration of training: read strictly, and checked against itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from ontime_base.configuration import ConfError, load_conf, parse_section
from tests.training.world import CONF, settings
from training.environment import surrounding_run
from training.settings import TrainingSettings, artifact_root, tracking_uri


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_the_configuration_of_every_environment_is_valid(environment: str) -> None:
    found = parse_section(TrainingSettings, load_conf(environment), "training")
    assert found.split.train_from < found.split.test_from


def test_parts_out_of_order_are_refused() -> None:
    split = {**CONF["split"], "test_from": CONF["split"]["train_from"]}
    with pytest.raises(ValidationError, match="must be in order"):
        settings(split=split)


def test_instants_without_a_zone_are_refused() -> None:
    split = {**CONF["split"], "train_from": "2013-01-01T00:00:00"}
    with pytest.raises(ConfError, match=r"training\.split\.train_from"):
        parse_section(TrainingSettings, {"training": {**CONF, "split": split}}, "training")


def test_a_model_without_the_tail_number_has_a_floor_of_its_own() -> None:
    # Given a floor for models with, and one for models without the tail number
    gates = {**CONF["gates"], "minimum_auc": 0.765, "minimum_auc_without_tail": 0.755}
    # Then each model is held to its own, and without a second one to the first
    assert settings(gates=gates).policy.minimum_auc == 0.765
    assert settings(gates=gates, without_families=("tail",)).policy.minimum_auc == 0.755
    assert settings(without_families=("tail",)).policy.minimum_auc == 0.6


def test_the_floors_of_the_configuration_are_the_required_ones() -> None:
    gates = parse_section(TrainingSettings, load_conf("prod"), "training").gates
    assert (gates.minimum_auc, gates.minimum_auc_without_tail) == (0.765, 0.755)
    assert (gates.suspicious_auc, gates.maximum_calibration_error) == (0.95, 0.02)
    assert (gates.slices_below_naive, gates.maximum_export_difference) == (0, 1e-6)


def test_without_an_address_everything_is_stored_in_the_home() -> None:
    home = Path("/somewhere")
    assert tracking_uri(settings(), home) == "sqlite:////somewhere/mlflow.db"
    assert artifact_root(settings(), home) == "file:///somewhere/mlartifacts"
    server = settings(tracking_uri="http://127.0.0.1:5000")
    assert tracking_uri(server, home) == "http://127.0.0.1:5000"
    assert artifact_root(server, home) is None


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("sqlite:///mlflow.db", True),
        ("sqlite:///other.db", False),
        ("http://127.0.0.1:5000/", False),
        (None, False),
    ],
)
def test_a_run_around_us_counts_if_it_is_in_our_store(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str | None, *, same: bool
) -> None:
    # Given `mlflow run`, which names its run and its store in the environment
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_RUN_ID", "abc")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    # When our store is compared, Then a relative path to the same file is the same store
    found = surrounding_run(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert found == ("abc" if same else None)


def test_a_server_is_the_same_with_and_without_a_trailing_slash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "abc")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000/")
    assert surrounding_run("http://127.0.0.1:5000") == "abc"
