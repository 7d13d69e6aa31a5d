"""Job definitions generated from the declaration of the stages: MLproject and the Databricks jobs.

A whole file (MLproject), or the tasks at the end of one whose head is written by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

from ontime_base.atomic_files import write_atomically
from ontime_base.errors import OntimeError
from pipelines.stages import STAGES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.stages import Parameter, Stage

ROOT: Final = Path(__file__).resolve().parents[2]
AUTO: Final = "auto"
_COMMAND: Final = "python -m pipelines.cli"
_WIDTH: Final = 96
_PROJECT_HEAD: Final = """\
# One entry point per stage, in run order; `main` is the whole pipeline. Generated from
# pipelines/stages.py by `ontime deploy definitions --write`. The value `auto` means: as conf/ says.
name: ontime

conda_env: conda.yaml

entry_points:
"""
_TASKS: Final = "      tasks:\n"
_JOBS: Final[Mapping[str, tuple[str, str]]] = {  # by file: where a task runs, and what it installs
    "job.yml": ("environment_key: ontime", ""),
    "job_on_cluster.yml": (
        "job_cluster_key: small",
        "          libraries:\n            - whl: ../../dist/*.whl\n",
    ),
}
_TASK_SETTINGS: Final = (
    "home=/Volumes/{{job.parameters.catalog}}/{{job.parameters.schema}}/home",
    "tables.uri=catalog:{{job.parameters.catalog}}.{{job.parameters.schema}}",
    "serving.model_name={{job.parameters.catalog}}.{{job.parameters.schema}}.ontime",
    "serving.store_uri={{job.parameters.store_uri}}",
)


class DefinitionsError(OntimeError):
    """A generated file does not follow the declaration of the stages."""


def definitions(root: Path = ROOT, stages: Sequence[Stage] = STAGES) -> dict[Path, str]:
    """Return the text of every generated file, by its path.

    Args:
        root: The clone; the heads of the Databricks jobs are read from it.
        stages: The declaration.

    Raises:
        DefinitionsError: A file with a head written by hand is missing, or has no tasks.
    """
    texts = {root / "MLproject": project_text(stages)}
    for name, (where, libraries) in _JOBS.items():
        path = root / "infra" / "databricks" / name
        head, found, _ = path.read_text(encoding="utf-8").partition(_TASKS)
        if not found:
            raise DefinitionsError(
                f"{path} has no line 'tasks:': add it to the job, as its last key."
            )
        texts[path] = head + tasks_text(stages, where=where, libraries=libraries)
    return texts


def write_definitions(root: Path = ROOT) -> list[Path]:
    """Write the generated files that are out of date, and return their paths."""
    outdated = [path for path, text in definitions(root).items() if _current(path) != text]
    for path in outdated:
        write_atomically(path, definitions(root)[path].encode())
    return outdated


def require_current(root: Path = ROOT) -> None:
    """Return if every generated file follows the declaration.

    Raises:
        DefinitionsError: Names those that do not.
    """
    names = [
        str(path.relative_to(root))
        for path, text in definitions(root).items()
        if _current(path) != text
    ]
    if names:
        raise DefinitionsError(
            f"{', '.join(names)} does not follow pipelines/stages.py: run "
            "`ontime deploy definitions --write`."
        )


def project_text(stages: Sequence[Stage]) -> str:
    """Return MLproject: `main`, and an entry point per stage with its parameters."""
    points = [_entry_point("main", "run", ()), *(_stage_point(stage) for stage in stages)]
    return _PROJECT_HEAD + "\n".join(points)


def tasks_text(stages: Sequence[Stage], *, where: str, libraries: str) -> str:
    """Return the tasks of a Databricks job as YAML, each after the one before it.

    Args:
        stages: The declaration.
        where: The key that names where a task runs.
        libraries: What it installs, as YAML lines; empty: the environment has it.
    """
    lines = [_TASKS]
    before = ""
    for stage in stages:
        lines.append(f"        - task_key: {stage.name}\n")
        if before:
            lines.append(f"          depends_on:\n            - task_key: {before}\n")
        arguments = [
            stage.name,
            "--environment",
            "'{{job.parameters.environment}}'",
            "--force",
            "'{{job.parameters.force}}'",
            *(argument for setting in _TASK_SETTINGS for argument in ("--set", setting)),
        ]
        lines += [
            f"          {where}\n",
            "          python_wheel_task:\n",
            "            package_name: ontime_flights\n",
            "            entry_point: ontime\n",
            "            parameters:\n",
            *(f"              - {argument}\n" for argument in arguments),
            libraries,
            "          max_retries: 2 # every stage is safe to repeat\n",
            "          min_retry_interval_millis: 60000\n",
            "          retry_on_timeout: false\n",
            f"          timeout_seconds: {stage.timeout_s}\n",
        ]
        before = stage.name
    return "".join(lines)


def _stage_point(stage: Stage) -> str:
    return _entry_point(stage.name, stage.name, stage.parameters)


def _entry_point(name: str, command: str, parameters: Sequence[Parameter]) -> str:
    defaults = {"environment": AUTO, "force": '"no"'}
    defaults |= {each.name: _default(each) for each in parameters}
    lines = [f"  {name}:", "    parameters:"]
    lines += [f"      {key}: {{type: string, default: {value}}}" for key, value in defaults.items()]
    arguments = [f"--{key.replace('_', '-')} {{{key}}}" for key in defaults]
    whole = " ".join((f"{_COMMAND} {command}", *arguments))
    if len(whole) + len('    command: ""') <= _WIDTH:
        return "\n".join((*lines, f'    command: "{whole}"', ""))
    folded, line = [], f"{_COMMAND} {command}"
    for argument in arguments:
        if len(line) + len(argument) + len("       ") > _WIDTH:
            folded.append(line)
            line = argument
        else:
            line = f"{line} {argument}"
    return "\n".join(
        (*lines, "    command: >-", *(f"      {each}" for each in (*folded, line)), "")
    )


def _default(parameter: Parameter) -> str:
    if parameter.default is None:
        return AUTO
    text = str(parameter.default)
    plain = text.replace(" ", "").replace("-", "").isalnum() and yaml.safe_load(text) == text
    return text if plain else json.dumps(text)


def _current(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
