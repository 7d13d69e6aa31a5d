"""Parses the Databricks bundle: the job of a target, with its variables resolved.

The same result as `databricks bundle deploy`, for the parts that our job uses: included files,
targets, variables and their defaults, `mode: development`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import yaml

from ontime_base.errors import OntimeError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BUNDLE_FILE: Final = "databricks.yml"
WHEEL_GLOB: Final = "../../dist/*.whl"
"""How the files of the job name the wheel, from where they are."""

_REFERENCE: Final = re.compile(r"\$\{([a-zA-Z0-9_.]+)\}")


class BundleError(OntimeError):
    """The files of the bundle do not say what they should."""


@dataclass(frozen=True, kw_only=True)
class JobDefinition:
    """A job of the bundle for one target, ready to be sent.

    Attributes:
        settings: The settings as the jobs API takes them; paths of wheels are still the bundle's.
        permissions: Who may do what with it, as the permissions API takes them.
        folder: Folder of the workspace for what belongs to it.
    """

    settings: Mapping[str, Any]
    permissions: list[dict[str, str]]
    folder: str


def read_bundle(root: Path) -> dict[str, Any]:
    """Return the bundle with its included files merged in.

    Raises:
        BundleError: A file is missing, is not YAML, or has a key twice.
    """
    bundle = _read(root / BUNDLE_FILE)
    resources: dict[str, dict[str, Any]] = {}
    for pattern in bundle.get("include", []):
        for path in sorted(root.glob(pattern)):
            for kind, named in _read(path).get("resources", {}).items():
                resources.setdefault(kind, {}).update(named)
    return {**bundle, "resources": resources}


def job_of(root: Path, *, target: str, user: str, job: str = "ontime") -> JobDefinition:
    """Return a job of the bundle as it is to be in a workspace.

    Args:
        root: The folder of databricks.yml.
        target: One of its targets.
        user: Who submits, for `${workspace.current_user.userName}`.
        job: The key of the job under `resources.jobs`.

    Raises:
        BundleError: There is no such target, job or variable, or a file is not valid.
    """
    bundle = read_bundle(root)
    chosen = _named(bundle.get("targets", {}), target, "target") or {}
    values = _values(bundle, chosen, target, user)
    settings = _filled(_named(bundle["resources"].get("jobs", {}), job, "job"), values)
    permissions = settings.pop("permissions", [])
    if "run_as" in chosen:
        settings["run_as"] = _filled(chosen["run_as"], values)
    if chosen.get("mode") == "development":
        _make_development(settings, user)
    workspace = {"root_path": f"/Workspace/Users/{user}/.bundle/ontime/{target}"}
    workspace |= chosen.get("workspace") or {}
    return JobDefinition(
        settings=settings, permissions=permissions, folder=_filled(workspace["root_path"], values)
    )


def with_wheel(settings: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return the settings with the wheel's path in the workspace in place of the bundle's."""

    def replaced(value: Any) -> Any:  # noqa: ANN401 - any YAML
        if isinstance(value, dict):
            return {key: replaced(each) for key, each in value.items()}
        if isinstance(value, list):
            return [replaced(each) for each in value]
        return path if value == WHEEL_GLOB else value

    return cast("dict[str, Any]", replaced(dict(settings)))


def _values(
    bundle: Mapping[str, Any], chosen: Mapping[str, Any], target: str, user: str
) -> dict[str, Any]:
    variables = {name: spec.get("default") for name, spec in bundle.get("variables", {}).items()}
    for name, value in (chosen.get("variables") or {}).items():
        _named(variables, name, "variable")
        variables[name] = value
    return {
        "bundle.name": bundle["bundle"]["name"],
        "bundle.target": target,
        "workspace.current_user.userName": user,
        **{f"var.{name}": value for name, value in variables.items()},
    }


def _filled(value: Any, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any YAML
    """Return YAML with every reference filled in; one that is the whole value keeps its type."""
    if isinstance(value, dict):
        return {key: _filled(each, values) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, values) for each in value]
    if not isinstance(value, str):
        return value
    whole = _REFERENCE.fullmatch(value)
    if whole:
        return _value(whole.group(1), values)
    return _REFERENCE.sub(lambda match: str(_value(match.group(1), values)), value)


def _value(name: str, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any YAML
    value = values.get(name)
    if value is None:
        known = ", ".join(sorted(values))
        raise BundleError(f"The bundle refers to ${{{name}}}, which has no value: use {known}.")
    return value


def _make_development(settings: dict[str, Any], user: str) -> None:
    """Do what `mode: development` does: the user's own copy, tagged, and never on a schedule."""
    short = re.sub(r"[^a-zA-Z0-9]+", "_", user.split("@", maxsplit=1)[0])
    settings["name"] = f"[dev {short}] {settings['name']}"
    settings["tags"] = {**settings.get("tags", {}), "dev": short}
    if "schedule" in settings:
        settings["schedule"] = {**settings["schedule"], "pause_status": "PAUSED"}


def _named(mapping: Mapping[str, Any], name: str, what: str) -> Any:  # noqa: ANN401 - any YAML
    if name not in mapping:
        known = ", ".join(mapping)
        raise BundleError(f"The bundle has no {what} '{name}': use one of {known}.")
    return mapping[name]


class _StrictLoader(yaml.SafeLoader):
    """A YAML loader that refuses a key that is there twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the parent's signature
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(
                problem=f"the key '{twice[0]}' is there twice", problem_mark=node.start_mark
            )
        return super().construct_mapping(node, deep=deep)


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except FileNotFoundError as error:
        raise BundleError(
            f"There is no {path.name} in {path.parent}: submit from a clone of the repository."
        ) from error
    except yaml.YAMLError as error:
        raise BundleError(f"{path} cannot be read: {error}") from error
    if not isinstance(data, dict):
        raise BundleError(f"{path} must hold a mapping of sections.")
    return data
