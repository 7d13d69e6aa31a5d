"""Shared code of all commands: settings from options, the home folder, errors as one sentence.

`pipelines.cli` turns options into calls of these functions.
"""

from __future__ import annotations

import logging
import sys
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from ontime_base.configuration import ConfError
from ontime_base.errors import OntimeError
from ontime_base.typed_text import plain_lines
from pipelines.runtime.console import Console
from pipelines.runtime.context import RunContext
from pipelines.runtime.home_lock import only_run
from pipelines.runtime.source_code import remembered_code
from pipelines.settings import PipelineSettings, load_settings
from pipelines.spark.failures import machine_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipelines.stages import Value


@dataclass(frozen=True, kw_only=True)
class CommonOptions:
    """The options that every command on a home has.

    Attributes:
        environment: Which file of conf/ is used besides base.yaml; None: `ONTIME_ENV`, else dev.
        overrides: Keys of the configuration with their values, as `KEY=VALUE`.
        debug: Whether the traceback of an error is printed as well.
    """

    environment: str | None = None
    overrides: Sequence[str] = ()
    debug: bool = False


def run_command(
    name: str,
    work: Callable[[RunContext], int | None],
    options: CommonOptions | None = None,
    *,
    values: Mapping[str, Value | None] | None = None,
    alone: bool = True,
    console: Console | None = None,
) -> int:
    """Load the settings and do the work in their home; return the exit code.

    Args:
        name: The command as it is typed, for its error message.
        work: Does the work; returns an exit code, or None for 0.
        options: The common options.
        values: Values of configuration keys that options of their own override; None: not given.
        alone: Whether the run lock of the home is held; False for work that other processes may
            run beside, as it changes no table and no stage record.
        console: Where progress is printed; standard output unless given.

    Returns:
        0; 1 after an error that a person can put right, in one sentence on standard error; 130
        after Ctrl-C.
    """
    common = options or CommonOptions()

    def in_home() -> int | None:
        settings = settings_of(common, values or {})
        context = RunContext(settings, console or Console())
        if not alone:
            with context:
                return work(context)
        with only_run(settings.home) as taken_over, remembered_code(settings.home), context:
            if taken_over:
                context.console.say(taken_over)
            return work(context)

    return exit_code_of(name, in_home, debug=common.debug)


def exit_code_of(name: str, work: Callable[[], int | None], *, debug: bool = False) -> int:
    """Do the work and return its exit code.

    An error of the domain, and a machine that lacks memory or disk, are one sentence and code 1.

    Args:
        name: The command as it is typed.
        work: Does the work; returns an exit code, or None for 0.
        debug: Whether the traceback of an error is printed as well.
    """
    _quiet_libraries()
    try:
        return work() or 0
    except OntimeError as error:
        if debug:
            traceback.print_exc()
        print(plain_lines(f"{name}: {error}"), file=sys.stderr)
        return 1
    except Exception as error:
        sentence = machine_failure(error)
        if sentence is None:
            raise
        if debug:
            traceback.print_exc()
        print(f"{name}: {sentence}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: stopped; run it again to continue", file=sys.stderr)
        return 130


def settings_of(options: CommonOptions, values: Mapping[str, Value | None]) -> PipelineSettings:
    """Return the settings of the environment with the given keys overridden.

    Args:
        options: Environment, and keys as `KEY=VALUE`.
        values: Further keys; None: as configured.

    Raises:
        ConfError: The configuration or an override is not valid.
    """
    data = load_settings(options.environment).model_dump()
    for text in options.overrides:
        _set_from_text(data, text)
    for key, value in values.items():
        if value is not None:
            _set(data, key.split("."), value)
    try:
        return PipelineSettings.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfError(
            f"'{first['input']}' is not valid for {key}: {first['msg']}. Give another value."
        ) from error


def _set(data: dict[str, Any], path: list[str], value: Any) -> None:  # noqa: ANN401 - any setting
    for key in path[:-1]:
        data = data[key]
    data[path[-1]] = value


def _set_from_text(data: dict[str, Any], text: str) -> None:
    """Set a key from the text `a.key=value`; the value is read as YAML, as in conf/."""
    key, given, value = text.partition("=")
    *sections, last = key.split(".")
    place: Any = data
    for part in sections:
        place = place.get(part) if isinstance(place, dict) else None
    if not given or not isinstance(place, dict) or last not in place:
        raise ConfError(
            f"--set {text}: there is no key '{key}' in conf/: give KEY=VALUE with a key such as "
            "tables.uri."
        )
    place[last] = yaml.safe_load(value)


def _quiet_libraries() -> None:
    """Log only warnings of libraries: the terminal shows the progress lines."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for name in ("py4j", "great_expectations"):
        logging.getLogger(name).setLevel(logging.WARNING)
