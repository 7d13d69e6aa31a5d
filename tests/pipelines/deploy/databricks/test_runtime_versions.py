from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from ontime_base.configuration import ConfError
from pipelines.cli import execute
from pipelines.deploy.databricks.bundle import read_bundle
from pipelines.deploy.databricks.runtime_versions import RuntimePins, compare, read_pins
from pipelines.deploy.wheel import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def pins_of(**packages: str | None) -> RuntimePins:
    current = read_pins().model_dump()
    return RuntimePins.model_validate({**current, "packages": packages})


def test_our_spark_is_that_of_the_runtime() -> None:
    # Then
    verdicts = {pin.package: pin.verdict for pin in compare(read_pins())}
    assert verdicts["pyspark"] in {"equal", "close"}
    assert {"delta-spark", "pandas", "scikit-learn", "mlflow"} <= set(verdicts)


def test_a_version_is_equal_close_different_or_unverified() -> None:
    # Given
    ours = metadata.version("pandas")
    major, minor = ours.split(".")[:2]
    theirs = [ours, f"{major}.{minor}.99", "0.1", None]
    # When
    verdicts = [compare(pins_of(pandas=version))[0].verdict for version in theirs]
    # Then
    assert verdicts == ["equal", "close", "differs", "unverified"]


def test_the_runtime_is_the_one_of_the_bundle_and_of_mlflow_projects() -> None:
    # Given
    pins, bundle = read_pins(), read_bundle(ROOT)
    cluster = (ROOT / "conf" / "databricks-cluster.json").read_text()
    # Then
    assert bundle["variables"]["spark_version"]["default"] == pins.runtime
    assert f'"spark_version": "{pins.runtime}"' in cluster
    spec = bundle["resources"]["jobs"]["ontime"]["environments"][0]["spec"]
    assert spec["environment_version"] == pins.serverless_environment


def test_the_command_reports_unverified_versions(capsys: pytest.CaptureFixture[str]) -> None:
    # When / Then
    assert execute(["deploy", "databricks", "runtime-versions"]) == 0
    output = capsys.readouterr().out
    assert "pyspark" in output
    assert "unverified: look them up" in output


def test_a_version_that_differs_fails_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    current = (ROOT / "conf" / "databricks-runtime.yaml").read_text()
    (tmp_path / "databricks-runtime.yaml").write_text(current.replace("4.1.0", "3.5.2"))
    monkeypatch.setenv("ONTIME_CONF", str(tmp_path))
    # When / Then
    assert execute(["deploy", "databricks", "runtime-versions"]) == 1


@pytest.mark.parametrize("text", [None, "runtime: [", "runtime: 1\nmoon: 2\n"])
def test_a_file_that_is_missing_or_invalid_is_reported(tmp_path: Path, text: str | None) -> None:
    # Given
    if text is not None:
        (tmp_path / "databricks-runtime.yaml").write_text(text)
    # When / Then
    with pytest.raises(ConfError, match=r"databricks-runtime\.yaml"):
        read_pins(tmp_path)
