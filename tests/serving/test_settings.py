"""The serving section of the configuration."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from ontime_base.configuration import load_conf
from ontime_base.errors import ConfError
from serving.http.access import Access, AccessError
from serving.lambdas.function import SETTINGS_VARIABLE, function_settings
from serving.settings import ServingSettings, artifact_store_uri, parse_serving
from tests.serving.support import ROOT


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_the_files_hold_good_settings(environment: str) -> None:
    # Given each environment, Then only dev lets a request choose its time
    settings = parse_serving(load_conf(environment)["serving"])
    assert settings.allow_as_of is (environment == "dev")
    assert settings.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("section", "key", "way_out"),
    [
        ({"port": 0}, "serving.port' = 0", "Expected `int` >= 1. Correct it in conf/"),
        ({"port": 70_000}, "serving.port' = 70000", "<= 65535"),
        ({"port": "x"}, "serving.port' = 'x'", "Expected `int`"),
        ({"model_name": "../x"}, "serving.model_name' = '../x'", "matching regex"),
        ({"follow_seconds": 0}, "serving.follow_seconds' = 0", "> 0"),
        ({"stores": {"online": "s3"}}, "serving.stores.online' = 's3'", "Invalid enum value"),
        ({"hots": "x"}, "serving.hots'", "use one of: access, allow_as_of, batch_max"),
        ({"limits": {"bursts": 1}}, "serving.limits.bursts'", "use one of: body_seconds, burst"),
        ({"access": {"keys": {"a": "plain"}}}, "serving.access.keys", "matching regex"),
    ],
)
def test_a_bad_value_is_named_with_the_way_out(
    section: dict[str, Any], key: str, way_out: str
) -> None:
    with pytest.raises(ConfError) as caught:
        parse_serving(section)
    assert key in str(caught.value)
    assert way_out in str(caught.value)


def test_conf_names_every_setting_that_is_declared() -> None:
    # Given base.yaml, Then it names each setting, so that a reader finds them all there
    def names(value: Any, path: str = "serving") -> set[str]:
        if not isinstance(value, dict) or path.endswith(".keys"):
            return {path}
        return {name for key, inner in value.items() for name in names(inner, f"{path}.{key}")}

    declared = msgspec.to_builtins(ServingSettings())
    assert names(load_conf("prod")["serving"]) == names(declared)


def test_a_function_without_settings_has_those_of_conf(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given no settings in the environment of a function, Then they are those of base.yaml: closed
    monkeypatch.delenv(SETTINGS_VARIABLE, raising=False)
    base = yaml.safe_load((ROOT / "conf" / "base.yaml").read_text())["serving"]
    assert parse_serving(base) == ServingSettings()
    settings = function_settings()
    assert settings.access.required
    with pytest.raises(AccessError, match="none is configured"):
        Access(required=True, keys=settings.access.keys)
    # And a key of the environment is one of its keys
    monkeypatch.setenv("ONTIME_API_KEYS", f'{{"somebody": "{"0" * 64}"}}')
    assert set(function_settings().access.keys) == {"somebody"}


def test_a_cold_start_of_a_function_imports_no_pydantic() -> None:
    # Given a process that imports what a function does at its start
    heavy = {"pydantic", "yaml", "asyncio", "numpy", "prometheus_client", "fastapi", "jinja2"}
    script = f"import sys, serving.lambdas.api_handler; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    # Then none of these was imported
    assert done.stdout.strip() == "[]"


def test_the_artifact_store_is_at_home_unless_configured() -> None:
    home = Path("/srv/ontime")
    assert artifact_store_uri(ServingSettings(), home) == "/srv/ontime/store"
    elsewhere = ServingSettings(store_uri="s3://models/ontime")
    assert artifact_store_uri(elsewhere, home) == "s3://models/ontime"
