"""The command line: `ontime`, with every command as a sub-command in groups.

A command is a thin function of the run context (or of nothing) and its options; the options that
all commands have, the settings, the lock of the home and the exit code are added here. A command
imports what it runs when it runs: `ontime --help` and completion load no library.
"""

from __future__ import annotations

import inspect
import json
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, get_type_hints

import typer

from pipelines.stages import STAGES, Parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pipelines.runtime.context import RunContext
    from pipelines.stages import Stage

AUTO: Final = "auto"
ROOT: Final = "ontime"
# How a job of Databricks and MLproject hand on a switch: as an option with a value.
_SWITCHES: Final = {("--force", "yes"): "--force", ("--force", "no"): "--no-force"}


def _app(text: str, *, completion: bool = False) -> typer.Typer:
    return typer.Typer(
        help=text,
        no_args_is_help=True,
        add_completion=completion,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )


app: Final = _app(
    "Ontime: will this flight arrive late? From source files to an answering model.",
    completion=True,
)
GROUPS: Final[Mapping[str, typer.Typer]] = {
    "": app,
    "release": _app("Decisions of a person about model versions, each an entry of the ledger."),
    "release ledger": _app("The ledger of decisions."),
    "look": _app("Reports about the tables; nothing is changed."),
    "prove": _app("Proofs: over the whole year of data, and against a running service."),
    "deploy": _app("What is deployed: the wheel, the function, the jobs."),
    "deploy databricks": _app("The pipeline as a Databricks job."),
}
for _path, _group in GROUPS.items():
    if _path:
        _above, _, _name = _path.rpartition(" ")
        GROUPS[_above].add_typer(_group, name=_name)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command.

    Args:
        arguments: The arguments after `ontime`; those of the process unless given.

    Raises:
        SystemExit: The command did not succeed; has its exit code. None is raised after success:
            a wheel task of Databricks takes every SystemExit for a failure.
    """
    code = execute(sys.argv[1:] if arguments is None else arguments)
    if code:
        raise SystemExit(code)


def execute(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code.

    Returns:
        0: success; 1: an error that is explained in one sentence; 2: wrong usage; 130: Ctrl-C;
        a command may have others.
    """
    try:
        app(args=_with_switches(arguments), prog_name=ROOT)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0


def _with_switches(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with `--force yes` as `--force`, and `--force no` as `--no-force`."""
    replaced, rest = [], list(arguments)
    while rest:
        switch = _SWITCHES.get((rest[0], rest[1] if len(rest) > 1 else ""))
        replaced.append(switch or rest[0])
        del rest[: 2 if switch else 1]
    return replaced


def _given(text: str) -> str | None:
    return None if text == AUTO else text


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise typer.BadParameter(f"{text} is not from 0 to 1")
    return share


_COMMON: Final = (
    inspect.Parameter(
        "environment",
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[
            str | None,
            typer.Option(
                help="dev, staging or prod: which file of conf/ is used besides base.yaml "
                "(default: ONTIME_ENV, else dev).",
                parser=_given,
                metavar="TEXT",
            ),
        ],
    ),
    inspect.Parameter(
        "overrides",
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[
            list[str] | None,
            typer.Option(
                "--set",
                metavar="KEY=VALUE",
                help="Any key of conf/, such as tables.uri=catalog:main.ontime; may be repeated.",
            ),
        ],
    ),
    inspect.Parameter(
        "debug",
        inspect.Parameter.KEYWORD_ONLY,
        default=False,
        annotation=Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")],
    ),
)

Force = Annotated[bool, typer.Option(help="Run even if nothing changed, and rebuild everything.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]
By = Annotated[str, typer.Option(help="Who decides, for the ledger.", metavar="NAME")]
Reason = Annotated[str, typer.Option(help="Why, for the ledger.", metavar="WHY")]
Version = Annotated[
    str | None,
    typer.Option(
        metavar="N",
        help="A number, challenger (Staging) or champion (Production); default: the challenger.",
    ),
]
Horizon = Annotated[
    int | None,
    typer.Option(help="Minutes from the prediction time to the scheduled departure.", min=1),
]
FromDay = Annotated[
    str, typer.Option("--from", help="First flight date, YYYY-MM-DD; empty: from the beginning.")
]
ToDay = Annotated[
    str, typer.Option("--to", help="Last flight date, YYYY-MM-DD; empty: to the end.")
]


class _Running(NamedTuple):
    """How a command on a home is run; see `_command`."""

    alone: bool = True
    fail_fast: bool = False
    settings: Mapping[str, str] = {}


def _command(
    path: str,
    *,
    alone: bool = True,
    fail_fast: bool = False,
    settings: Mapping[str, str] | None = None,
) -> Callable[[Callable[..., int | None]], None]:
    """Return a decorator that makes a function of the run context a command on a home.

    Args:
        path: How it is typed after `ontime`.
        alone: Whether it needs the run lock of the home.
        fail_fast: Whether a registry that does not answer ends it after seconds.
        settings: Options that override a configuration key, by name; the others are passed to the
            function.
    """
    running = _Running(alone=alone, fail_fast=fail_fast, settings=settings or {})

    def register(work: Callable[..., int | None]) -> None:
        hints = get_type_hints(work, localns={"RunContext": object}, include_extras=True)
        options = [
            parameter.replace(annotation=hints[name])
            for name, parameter in inspect.signature(work).parameters.items()
            if name != "context"
        ]
        _add(path, work, options, text=work.__doc__ or "", running=running)

    return register


def _add(
    path: str,
    work: Callable[..., int | None],
    options: Sequence[inspect.Parameter],
    *,
    text: str,
    running: _Running,
) -> None:
    """Add a command on a home: its own options, and those that all of them have."""

    def run(**given: Any) -> None:  # noqa: ANN401 - options of any type
        from pipelines.runtime.command import CommonOptions, run_command
        from pipelines.runtime.console import Console

        common = CommonOptions(
            environment=given.pop("environment"),
            overrides=given.pop("overrides") or (),
            debug=given.pop("debug"),
        )
        values = {key: given.pop(name) for name, key in running.settings.items()}
        if running.fail_fast:
            from training.environment import fail_fast_mlflow

            fail_fast_mlflow()
        code = run_command(
            f"{ROOT} {path}",
            partial(work, **given),
            common,
            values=values,
            alone=running.alone,
            console=Console(sys.stderr) if given.get("as_json") else None,
        )
        raise typer.Exit(code)

    parameters = [*options, *_COMMON]
    vars(run)["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    group, _, name = path.rpartition(" ")
    GROUPS[group].command(name, help=text)(run)


def _plain(path: str) -> Callable[[Callable[..., int | None]], None]:
    """Return a decorator that makes a function without a run context a command."""

    def register(work: Callable[..., int | None]) -> None:
        def run(**given: Any) -> None:  # noqa: ANN401 - options of any type
            from pipelines.runtime.command import exit_code_of

            raise typer.Exit(exit_code_of(f"{ROOT} {path}", partial(work, **given)))

        hints = get_type_hints(work, include_extras=True)
        signature = inspect.signature(work)
        options = [p.replace(annotation=hints[n]) for n, p in signature.parameters.items()]
        vars(run)["__signature__"] = inspect.Signature(options)
        run.__annotations__ = {each.name: each.annotation for each in options}
        group, _, name = path.rpartition(" ")
        GROUPS[group].command(name, help=work.__doc__ or "")(run)

    return register


@contextmanager
def _figures(context: RunContext, name: str, *, as_json: bool) -> Iterator[None]:
    """Print the figures that a command wrote, as JSON, also if it failed after that."""
    path = context.settings.home / "figures" / f"{name}.json"
    before = path.stat().st_mtime_ns if path.exists() else 0
    try:
        yield
    finally:
        if as_json and path.exists() and path.stat().st_mtime_ns != before:
            print(path.read_text(encoding="utf-8").rstrip())


# --- the pipeline and its stages


@_command("run")
def _run(
    context: RunContext,
    *,
    until: Annotated[
        str,
        typer.Option(help="Only the stages up to `evaluate`, without a release."),
    ] = "",
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Run all stages: source files to a released model; those with nothing to do are skipped."""
    from pipelines.run import run_pipeline, train_and_evaluate

    if until not in {"", "evaluate"}:
        raise typer.BadParameter("only `evaluate` can be given", param_hint="--until")
    work = train_and_evaluate if until else run_pipeline
    with _figures(context, "train" if until else "run", as_json=as_json):
        work(context, force=force)


def add_stage(stage: Stage) -> None:
    """Add the command that runs one stage, with the options that its declaration has."""

    def work(context: RunContext, *, force: bool, as_json: bool, **arguments: Any) -> None:  # noqa: ANN401 - any value
        from pipelines.runtime.runner import run_stage

        report = run_stage(stage, context, force=force, arguments=arguments)
        if as_json:
            print(json.dumps(report.as_data(), indent=2))

    settings = {each.argument: each.setting for each in stage.parameters if each.setting}
    options = [
        *map(_stage_option, stage.parameters),
        _option("force", Force, default=False),
        _option("as_json", Json, default=False),
    ]
    text = f"Stage: {stage.title}."
    _add(stage.name, work, options, text=text, running=_Running(settings=settings))


def _option(name: str, annotation: Any, *, default: object) -> inspect.Parameter:  # noqa: ANN401 - a type
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)


def _stage_option(parameter: Parameter) -> inspect.Parameter:
    """Return the option of a stage's parameter; `auto` is as if it were not given."""

    def read(text: str) -> str | int | float | None:
        return parameter.default if text == AUTO else parameter.kind(text)

    read.__name__ = parameter.kind.__name__  # an error message names the type by it
    flag = f"--{parameter.name.replace('_', '-')}"
    default = parameter.default
    meaning = f"{AUTO}: as conf/ says" if default is None else repr(default)
    option = typer.Option(
        flag,
        parser=read,
        metavar=parameter.kind.__name__.upper(),
        help=f"{parameter.help} (default: {meaning})",
        show_default=False,
    )
    return _option(parameter.argument, Annotated[Any, option], default=default)


for _stage in STAGES:
    add_stage(_stage)


@_command("study", settings={
    "trials": "training.sweep.trials",
    "minutes": "training.sweep.minutes",
    "workers": "training.sweep.workers",
})  # fmt: skip
def _study(
    context: RunContext,
    *,
    force: Force = False,
    trials: Annotated[  # noqa: ARG001 - overrides a setting
        int | None,
        typer.Option(help="Trials of the sweep, those of earlier attempts included; 0: no sweep."),
    ] = None,
    minutes: Annotated[  # noqa: ARG001 - overrides a setting
        float | None, typer.Option(help="For how long trials are started.")
    ] = None,
    workers: Annotated[  # noqa: ARG001 - overrides a setting
        int | None, typer.Option(help="Trials at a time, one core each.")
    ] = None,
) -> None:
    """Study the model: without tail numbers, 30 and 360 min ahead, and a sweep."""
    from pipelines.study.model_study import study_model

    study_model(context, force=force)


@_command("score-batch")
def _score_batch(
    context: RunContext,
    *,
    from_day: FromDay = "",
    to_day: ToDay = "",
    version: Annotated[
        str,
        typer.Option(
            help="A published version, champion (Production) or challenger (Staging).", metavar="N"
        ),
    ] = "champion",
    check: Annotated[
        bool, typer.Option("--check", help="Score again, and compare with the service.")
    ] = False,
) -> None:
    """Score a year, or a range of days, of the feature table into the table of predictions."""
    from pipelines.batch.score_batch import score_version
    from pipelines.runtime.days import day_range

    score_version(context, days=day_range(from_day, to_day), version=version, check=check)


# --- decisions of a person: they take no lock, as a rollback must not wait for a training run


def _decision(path: str) -> Callable[[Callable[..., int | None]], None]:
    return _command(path, alone=False, fail_fast=True)


def _ledger_command(path: str) -> Callable[[Callable[..., int | None]], None]:
    return _command(path, alone=False)


@_decision("release promote")
def _release_promote(
    context: RunContext, *, by: By, reason: Reason, version: Version = None
) -> None:
    """Promote a released version to champion, if gates and rollout policy let it."""
    from pipelines.release.decision_commands import promote_version

    promote_version(context, by=by, reason=reason, version=version)


@_decision("release approve")
def _release_approve(
    context: RunContext, *, by: By, reason: Reason, version: Version = None
) -> None:
    """Approve a released version, then promote it, if gates and rollout policy let it."""
    from pipelines.release.decision_commands import approve_version

    approve_version(context, by=by, reason=reason, version=version)


@_decision("release reject")
def _release_reject(
    context: RunContext, *, by: By, reason: Reason, version: Version = None
) -> None:
    """Reject a released version: it answers no flights any more."""
    from pipelines.release.decision_commands import reject_version

    reject_version(context, by=by, reason=reason, version=version)


@_decision("release rollout")
def _release_rollout(
    context: RunContext,
    *,
    weight: Annotated[
        float, typer.Option(help="Share of the flights, 0 to 1.", parser=_share, metavar="SHARE")
    ],
    by: By,
    reason: Reason,
) -> None:
    """Let the challenger answer a share of the flights; at 1 it can be promoted."""
    from pipelines.release.decision_commands import roll_out

    roll_out(context, weight, by=by, reason=reason)


@_decision("release rollback")
def _release_rollback(
    context: RunContext,
    *,
    by: By,
    reason: Reason,
    version: Annotated[
        str | None,
        typer.Option(metavar="N", help="Go back to this one; default: the champion before."),
    ] = None,
    force: Annotated[
        bool, typer.Option(help="Take a published version that never was champion.")
    ] = False,
) -> None:
    """Make the champion before this one, or a version named, the champion again."""
    from pipelines.release.decision_commands import roll_back

    roll_back(context, by=by, reason=reason, to_version=version, force=force)


@_ledger_command("release ledger show")
def _ledger_show(
    context: RunContext,
    *,
    last: Annotated[int | None, typer.Option(help="Only the newest N.", metavar="N", min=1)] = None,
    as_json: Json = False,
) -> None:
    """Show every decision, oldest first."""
    from pipelines.release.ledger_commands import show_ledger

    show_ledger(context, last=last, as_json=as_json)


@_ledger_command("release ledger at")
def _ledger_at(
    context: RunContext,
    time: Annotated[
        str | None, typer.Argument(help="Such as 2026-03-01T10:00Z (default: now).")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Show what was in production at a time, and why."""
    from pipelines.release.ledger_commands import show_production

    show_production(context, time, as_json=as_json)


@_ledger_command("release ledger verify")
def _ledger_verify(
    context: RunContext,
    *,
    head: Annotated[
        str | None,
        typer.Option(metavar="SHA256", help="Its last checksum as noted before, elsewhere."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that the ledger, and all that follows it, is whole; exit code 1 if it is not."""
    from pipelines.release.ledger_commands import verify_ledger

    verify_ledger(context, head=head, as_json=as_json)


@_ledger_command("release ledger export")
def _ledger_export(
    context: RunContext,
    *,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Default: standard output.")
    ] = None,
) -> None:
    """Export all entries with their checksums, as JSON."""
    from pipelines.release.ledger_commands import export_ledger

    export_ledger(context, output=output)


# --- reports


@_command("look quarantine", alone=False)
def _look_quarantine(
    context: RunContext,
    *,
    source: Annotated[str | None, typer.Option(help="Rows of this source.")] = None,
    rule: Annotated[str | None, typer.Option(help="Rows that break this rule.")] = None,
    file: Annotated[
        str | None, typer.Option(help="Rows of this file: its name, or a pattern such as *2013*.")
    ] = None,
    day: Annotated[
        str | None, typer.Option(help="Rows about this local day, such as 2013-02-12.")
    ] = None,
    row: Annotated[int | None, typer.Option(help="The row with this number in its file.")] = None,
    limit: Annotated[int, typer.Option(help="How many rows to show.")] = 20,
    as_json: Json = False,
) -> None:
    """Show the refused rows, and why they were refused."""
    from pipelines.reports.quarantine import QuarantineFilter, show_quarantine

    wanted = QuarantineFilter(source=source, rule=rule, file=file, day=day, row=row)
    show_quarantine(context, wanted, limit=limit, as_json=as_json)


@_command("look freshness", alone=False)
def _look_freshness(context: RunContext, *, as_json: Json = False) -> None:
    """Show how fresh each table is and how many rows it has, as text and as a page."""
    from pipelines.reports.freshness import report_freshness

    report_freshness(context, as_json=as_json)


@_command("look tables", alone=False)
def _look_tables(context: RunContext, *, as_json: Json = False) -> None:
    """List the tables that there are, with their rows."""
    from pipelines.reports.freshness import list_tables

    list_tables(context, as_json=as_json)


# --- proofs


@_command("prove no-leak", settings={"horizon_min": "features.horizon_min"})
def _prove_no_leak(
    context: RunContext,
    *,
    instants: Annotated[int, typer.Option(help="Instants over the whole time.", min=1)] = 24,
    seed: Annotated[int, typer.Option(help="Chooses the instants and the changed worlds.")] = 1,
    horizon_min: Horizon = None,  # noqa: ARG001 - overrides a setting
    as_json: Json = False,
) -> None:
    """Prove that no feature uses what is known only at or after its prediction time."""
    from pipelines.proofs.no_leak import prove_no_leak

    with _figures(context, "prove-no-leak", as_json=as_json):
        prove_no_leak(context, count=instants, seed=seed)


@_command("prove skew")
def _prove_skew(
    context: RunContext,
    *,
    processes: Annotated[
        int, typer.Option(help="Processes, each for a part of the time.", min=1)
    ] = 2,
    as_json: Json = False,
) -> None:
    """Prove that the service's features and scores are the feature table's, for all flights."""
    from pipelines.proofs.skew import prove_no_skew

    with _figures(context, "skew-proof", as_json=as_json):
        prove_no_skew(context, processes=processes)


@_command("prove retrain")
def _prove_retrain(
    context: RunContext,
    *,
    version: Annotated[
        str,
        typer.Option(
            metavar="N", help="A registered version, champion (Production) or challenger (Staging)."
        ),
    ] = "champion",
    as_json: Json = False,
) -> None:
    """Train a registered version again from its lineage, and compare it bit for bit."""
    from pipelines.proofs.retrain import retrain_version

    with _figures(context, "retrain", as_json=as_json):
        retrain_version(context, version=version)


@_command("prove hostile", alone=False)
def _prove_hostile(
    context: RunContext,
    *,
    only: Annotated[
        str, typer.Option(help="Only the cases whose kind or name contains this.", metavar="TEXT")
    ] = "",
    as_json: Json = False,
) -> None:
    """Prove that a running service holds against hostile input, strangers and outages."""
    from pipelines.proofs.hostile.proof import prove_hostile

    with _figures(context, "hostile", as_json=as_json):
        prove_hostile(context, only=only)


# --- the service


@_command("serve", alone=False)
def _serve(
    context: RunContext,
    *,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on (default: serving.host).")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port; 0 takes a free one (default: serving.port).", min=0)
    ] = None,
) -> None:
    """Answer requests from the released model until stopped."""
    from pipelines.serve import serve_released

    serve_released(context.settings, host=host, port=port)


@_command("online-state", alone=False)
def _online_state(
    context: RunContext,
    *,
    heal: Annotated[
        bool,
        typer.Option(
            "--heal",
            help="Set a watermark that is later than now back, and send the events again that "
            "were refused as too late.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Show how far the online state has come and which events wait; exit code 1 if it is wrong."""
    from pipelines.reports.online_state import check_online_state

    check_online_state(context, heal=heal, as_json=as_json)


@_plain("api-key")
def _api_key(
    name: Annotated[str, typer.Argument(help="Who will have it; in the log of its requests.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="What it allows: predict, events, operate; may be repeated (default: predict and "
            "events)."
        ),
    ] = None,
) -> None:
    """Make an API key, and print the hash to configure."""
    import shlex

    from ontime_base.typed_text import typed_problem
    from serving.http.access import new_key
    from serving.settings import SCOPES

    if problem := typed_problem(name, longest=100):
        raise typer.BadParameter(f"it {problem}: give a name on one line", param_hint="NAME")
    unknown = [each for each in scope or () if each not in SCOPES]
    if unknown:
        raise typer.BadParameter(f"use {', '.join(SCOPES)}", param_hint="--scope")
    key, digest = new_key()
    value = {"sha256": digest, "scopes": scope} if scope else digest
    print(
        f"The key of {name}, shown once and stored nowhere:\n  {key}\n"
        f"Its hash, for serving.access.keys in conf/, or for the environment:\n"
        f"  ONTIME_API_KEYS={shlex.quote(json.dumps({name: value}))}"
    )


# --- notebooks and what is deployed


@_plain("notebooks")
def _notebooks(
    names: Annotated[
        list[str] | None, typer.Argument(help="Such as 01_explore (default: all).")
    ] = None,
    *,
    to: Annotated[
        Path | None, typer.Option(help="Folder of the pages (default: docs/notebooks).")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="Only write .ipynb files to this folder.")
    ] = None,
) -> int:
    """Execute the notebooks on the data of the home, and render them as pages."""
    from pipelines.explore.notebooks import PAGES, export_notebooks, run_notebooks

    if export is not None:
        export_notebooks(export, names or ())
        return 0
    return run_notebooks(names or (), to=to or PAGES)


@_plain("deploy wheel")
def _deploy_wheel(
    *, to: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("dist")
) -> None:
    """Build the wheel that a Databricks job installs, and print its path."""
    from pipelines.deploy.wheel import build_wheel

    print(build_wheel(to))


@_plain("deploy lambda-bundle")
def _deploy_lambda_bundle(
    *,
    to: Annotated[
        Path | None, typer.Option(help="Folder to write to (default: <home>/lambda).")
    ] = None,
) -> None:
    """Build the zip of the function in the cloud (arm64 and x86-64), and print its size."""
    from pipelines.deploy.lambda_bundle import build_bundles

    build_bundles(to)


@_plain("deploy definitions")
def _deploy_definitions(
    *,
    write: Annotated[bool, typer.Option("--write", help="Write what is out of date.")] = False,
) -> None:
    """Check that MLproject and the Databricks jobs follow the declaration of the stages."""
    from pipelines.deploy.job_definitions import require_current, write_definitions

    if write:
        for path in write_definitions():
            print(path)
    require_current()


@_plain("deploy databricks submit")
def _deploy_databricks_submit(
    *,
    target: Annotated[str, typer.Option(help="Target of databricks.yml.")] = "dev",
    compute: Annotated[str, typer.Option(help="serverless or cluster.")] = "serverless",
    stage: Annotated[str | None, typer.Option(help="Only this stage (default: all).")] = None,
    force: Force = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the run to its end.")] = False,
    timeout_min: Annotated[float, typer.Option(help="Follow for so many minutes.")] = 240,
    poll_s: Annotated[float, typer.Option(help="Ask for its state every so many seconds.")] = 5,
    retry_s: Annotated[
        float, typer.Option(help="Retry for so many seconds while the workspace is busy.")
    ] = 300,
) -> int:
    """Update wheel and job in a workspace, and start a run or follow the one in progress.

    Exit code 3: the run had not ended in time.
    """
    from pipelines.deploy.databricks.submit import JOBS, Submission, submit

    if compute not in JOBS:
        raise typer.BadParameter(f"use one of {', '.join(JOBS)}", param_hint="--compute")
    if stage is not None and stage not in {each.name for each in STAGES}:
        names = ", ".join(each.name for each in STAGES)
        raise typer.BadParameter(f"use one of {names}", param_hint="--stage")
    wanted = Submission(
        target=target,
        compute=compute,
        stage=stage,
        force=force,
        wait=wait,
        timeout_min=timeout_min,
        poll_s=poll_s,
        retry_s=retry_s,
    )
    return submit(wanted)


@_plain("deploy databricks runtime-versions")
def _deploy_databricks_runtime_versions() -> int:
    """Compare our versions with those of the runtime; exit code 1 if one differs."""
    from pipelines.deploy.databricks.runtime_versions import compare_runtime

    return compare_runtime()


if __name__ == "__main__":
    main()
