"""What every command of the pipeline shares: arguments, settings, one clear sentence per error."""

from __future__ import annotations

import argparse
import logging
import sys
import traceback
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from ontime_base.configuration import ENVIRONMENTS, ConfError
from ontime_base.errors import OntimeError
from pipelines.runtime.context import RunContext
from pipelines.runtime.home_lock import only_run
from pipelines.runtime.runner import run_stage
from pipelines.settings import PipelineSettings, load_settings
from pipelines.stages import Parameter, stage_named

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

AUTO = "auto"
COMMON = (
    Parameter(
        name="environment",
        kind=str,
        help=f"which file of conf/ is used besides base.yaml: {', '.join(ENVIRONMENTS)}",
    ),
)


def stage_main(name: str, argv: Sequence[str] | None = None) -> int:
    """Run one stage as a command and return the exit code.

    Args:
        name: The stage.
        argv: The arguments; those of the process unless given.
    """
    stage = stage_named(name)
    parser = parser_of(f"python -m pipelines.{name}", f"{stage.title}.", stage.parameters)

    def work(context: RunContext, arguments: argparse.Namespace) -> None:
        named = {p.argument: getattr(arguments, p.name) for p in stage.parameters if not p.setting}
        run_stage(stage, context, force=arguments.force, arguments=named)

    return run_command(parser, stage.parameters, work, argv)


def run_command(
    parser: argparse.ArgumentParser,
    parameters: Sequence[Parameter],
    work: Callable[[RunContext, argparse.Namespace], None],
    argv: Sequence[str] | None = None,
    *,
    alone: bool = True,
) -> int:
    """Parse the arguments, load the settings and do the work, alone on its home.

    Args:
        parser: From `parser_of`.
        parameters: Those that override a setting.
        work: Does the work.
        argv: The arguments; those of the process unless given.
        alone: False: others may work in the home meanwhile; the work changes nothing of its own
            there.

    Returns:
        0, or 1 after an error that a person can put right, told in one sentence on standard error
        (with its traceback under `--debug`), or 130 after Ctrl-C.
    """
    arguments = parser.parse_args(argv)
    _quiet_libraries()
    try:
        settings = settings_of(parameters, arguments)
        lock = only_run(settings.home) if alone else nullcontext(None)
        with lock as taken_over, RunContext(settings) as context:
            if taken_over:
                context.console.say(taken_over)
            work(context, arguments)
    except OntimeError as error:
        if arguments.debug:
            traceback.print_exc()
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{parser.prog}: stopped; run it again to go on", file=sys.stderr)
        return 130
    return 0


def parser_of(
    prog: str,
    description: str,
    parameters: Sequence[Parameter],
    *,
    force: str = "run even if nothing changed, and make everything anew",
) -> argparse.ArgumentParser:
    """Return a parser for these parameters and for those that every command has.

    Args:
        prog: How the command is typed.
        description: What it does.
        parameters: Its own parameters.
        force: What `--force` does; empty: there is no such switch.
    """
    parser = argparse.ArgumentParser(prog=prog, description=description, allow_abbrev=False)
    for parameter in (*COMMON, *parameters):
        default = AUTO if parameter.default is None else parameter.default
        meaning = f"{AUTO}: as conf/ says" if parameter.default is None else default
        parser.add_argument(
            f"--{parameter.name.replace('_', '-')}",
            type=_reader(parameter),
            default=None if parameter.default is None else parameter.default,
            metavar=parameter.kind.__name__.upper(),
            help=f"{parameter.help} (default: {meaning})",
        )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any key of conf/, such as tables.uri=catalog:main.ontime (may be repeated)",
    )
    if force:
        _add_switch(parser, "--force", force)
    _add_switch(parser, "--debug", "show the traceback of an error")
    return parser


def settings_of(parameters: Sequence[Parameter], arguments: argparse.Namespace) -> PipelineSettings:
    """Return the settings of the environment, with those overridden that arguments name.

    Raises:
        ConfError: The configuration or an argument is not valid.
    """
    settings = load_settings(arguments.environment)
    data = settings.model_dump()
    for text in arguments.set:
        _set_named(data, text)
    for parameter in parameters:
        given = getattr(arguments, parameter.name)
        if parameter.setting is not None and given is not None:
            _set(data, parameter.setting.split("."), given)
    try:
        return PipelineSettings.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfError(
            f"'{first['input']}' is not valid for {key}: {first['msg']}. Give another value."
        ) from error


def _reader(parameter: Parameter) -> Callable[[str], Any]:
    """Return what reads the text of a parameter: `auto` is as if it were not given."""

    def read(text: str) -> Any:  # noqa: ANN401 - str, int or float, as the parameter says
        return parameter.default if text == AUTO else parameter.kind(text)

    read.__name__ = parameter.kind.__name__  # argparse names it in its error
    return read


def _add_switch(parser: argparse.ArgumentParser, flag: str, text: str) -> None:
    """Add a switch that works as `--flag` by hand and as `--flag yes` from MLproject."""
    parser.add_argument(
        flag,
        type=_yes_or_no,
        nargs="?",
        const=True,
        default=False,
        metavar="yes|no",
        help=f"{text} (default: no)",
    )


def _yes_or_no(text: str) -> bool:
    if text not in {"yes", "no"}:
        raise argparse.ArgumentTypeError(f"'{text}' is neither yes nor no")
    return text == "yes"


def _set(data: dict[str, Any], path: list[str], value: Any) -> None:  # noqa: ANN401 - any setting
    for key in path[:-1]:
        data = data[key]
    data[path[-1]] = value


def _set_named(data: dict[str, Any], text: str) -> None:
    """Set what `a.key=value` says; the value is read as YAML, as in conf/."""
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
    """Let only warnings of libraries through: the progress lines are for people."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for name in ("py4j", "great_expectations"):
        logging.getLogger(name).setLevel(logging.WARNING)
