"""The configuration: YAML files in `conf/`, merged by environment and parsed into strict models."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ontime_base.errors import ConfError

__all__ = [
    "ENVIRONMENTS",
    "ConfError",
    "Settings",
    "conf_folder",
    "load_conf",
    "on_databricks",
    "parse_section",
]

ENVIRONMENTS = ("dev", "staging", "prod")


class Settings(BaseModel):
    """Base of every settings model: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


SettingsT = TypeVar("SettingsT", bound=Settings)


def conf_folder() -> Path:
    """Return the folder of the YAML files: `ONTIME_CONF`, or `conf/` beside the packages."""
    given = os.environ.get("ONTIME_CONF")
    return Path(given) if given else Path(__file__).resolve().parent.parent / "conf"


def on_databricks() -> bool:
    """Return whether this process runs on Databricks, on a cluster or serverless."""
    return "DATABRICKS_RUNTIME_VERSION" in os.environ


def load_conf(environment: str | None = None, folder: Path | None = None) -> dict[str, Any]:
    """Return `base.yaml` with the environment's file merged over it.

    On Databricks `databricks.yaml` is merged over both.

    Args:
        environment: `dev`, `staging` or `prod`; by default `ONTIME_ENV`, else `dev`.
        folder: Where the files are; by default `conf_folder()`.

    Raises:
        ConfError: The environment is unknown, or a file is missing or not a mapping.
    """
    name = environment or os.environ.get("ONTIME_ENV") or "dev"
    if name not in ENVIRONMENTS:
        known = ", ".join(ENVIRONMENTS)
        raise ConfError(f"Unknown environment '{name}': set ONTIME_ENV (or --env) to {known}.")
    where = folder or conf_folder()
    names = ["base", name, *(["databricks"] if on_databricks() else [])]
    merged: dict[str, Any] = {}
    for each in names:
        merged = _merged(merged, _read(where / f"{each}.yaml"))
    return merged | {"environment": name}


def parse_section(model: type[SettingsT], data: dict[str, Any], name: str) -> SettingsT:
    """Return one section of the configuration as its settings model.

    Raises:
        ConfError: Names the key, what is wrong with it, and the keys that exist.
    """
    try:
        return model.model_validate(data.get(name) or {})
    except ValidationError as error:
        raise ConfError(_explained(error, name, model)) from error


def _explained(error: ValidationError, name: str, model: type[Settings]) -> str:
    first = error.errors()[0]
    key = ".".join([name, *(str(part) for part in first["loc"])])
    if first["type"] == "extra_forbidden":
        known = ", ".join(sorted(model.model_fields))
        return f"Unknown configuration key '{key}' in conf/: remove it or use one of: {known}."
    wrong = f"Configuration key '{key}' = {first['input']!r} is not valid: {first['msg']}."
    return f"{wrong} Correct it in conf/."


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfError(
            f"Configuration file {path} does not exist: restore it, or set ONTIME_CONF to a folder"
        ) from error
    except yaml.YAMLError as error:
        raise ConfError(f"Configuration file {path} is not valid YAML: {error}.") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        kind = type(data).__name__
        raise ConfError(f"Configuration file {path} must hold sections (a mapping), not a {kind}.")
    return data


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both_mappings = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both_mappings else value
    return merged
