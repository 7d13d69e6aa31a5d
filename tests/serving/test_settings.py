"""The serving section of the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from ontime_base.configuration import ConfError, load_conf, parse_section
from serving.settings import ServingSettings, artifact_store_uri


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_the_files_hold_good_settings(environment: str) -> None:
    # Given each environment, Then only dev lets a request choose its time
    settings = parse_section(ServingSettings, load_conf(environment), "serving")
    assert settings.allow_as_of is (environment == "dev")
    assert settings.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("key", "value"),
    [("port", 0), ("port", 70_000), ("model_name", "../x"), ("follow_seconds", 0), ("hots", "x")],
)
def test_a_bad_value_is_named(key: str, value: object) -> None:
    with pytest.raises(ConfError, match=f"serving.{key}"):
        parse_section(ServingSettings, {"serving": {key: value}}, "serving")


def test_the_artifact_store_is_at_home_unless_configured() -> None:
    home = Path("/srv/ontime")
    assert artifact_store_uri(ServingSettings(), home) == "/srv/ontime/store"
    elsewhere = ServingSettings(store_uri="s3://models/ontime")
    assert artifact_store_uri(elsewhere, home) == "s3://models/ontime"
