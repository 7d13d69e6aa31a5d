"""Configuration errors name the file, the key and the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from features.settings import FeatureSettings
from ontime_base.configuration import ConfError, load_conf, parse_section

if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path, base: str = "", dev: str = "") -> Path:
    (folder / "base.yaml").write_text(base, encoding="utf-8")
    (folder / "dev.yaml").write_text(dev, encoding="utf-8")
    return folder


def test_an_environment_is_merged_over_the_base(tmp_path: Path) -> None:
    # Given a base and what dev changes
    folder = written(
        tmp_path, "features: {horizon_min: 60, block_days: 9}", "features: {block_days: 5}"
    )
    # When they are loaded
    data = load_conf("dev", folder)
    # Then dev wins where it has a value
    settings = parse_section(FeatureSettings, data, "features")
    assert (settings.horizon_min, settings.block_days) == (60, 5)


@pytest.mark.parametrize(
    ("base", "sentence"),
    [
        (
            "features: {horizn_min: 60}",
            "Unknown configuration key 'features.horizn_min'.*horizon_min",
        ),
        ("features: {horizon_min: soon}", "'features.horizon_min' = 'soon' is not valid"),
        ("features: {horizon_min: -1}", "greater than or equal to 1"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path: Path, base: str, sentence: str) -> None:
    # Given a mistake in the configuration / When it is read / Then the error names it
    data = load_conf("dev", written(tmp_path, base))
    with pytest.raises(ConfError, match=sentence):
        parse_section(FeatureSettings, data, "features")


@pytest.mark.parametrize(
    ("base", "sentence"),
    [("a: [", "base.yaml is not valid YAML"), ("- a", "must hold sections .*, not a list")],
)
def test_a_broken_file_is_named(tmp_path: Path, base: str, sentence: str) -> None:
    # Given a file that cannot be read / When / Then it is named
    with pytest.raises(ConfError, match=sentence):
        load_conf("dev", written(tmp_path, base))


def test_a_missing_file_or_environment_is_named(tmp_path: Path) -> None:
    # Given an empty folder / When / Then the missing file is named; so is an unknown environment
    with pytest.raises(ConfError, match=r"base\.yaml does not exist"):
        load_conf("dev", tmp_path)
    with pytest.raises(
        ConfError, match=r"Unknown environment 'test': set ONTIME_ENV .* dev, staging, prod"
    ):
        load_conf("test", tmp_path)


def test_on_databricks_its_own_file_is_merged_over_the_environments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    folder = written(tmp_path, "tables: {uri: here, columnar: true}")
    (folder / "databricks.yaml").write_text("tables: {columnar: false}")
    assert load_conf("dev", folder)["tables"] == {"uri": "here", "columnar": True}
    # When
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "18.0")
    # Then
    assert load_conf("dev", folder)["tables"] == {"uri": "here", "columnar": False}
