"""The command line as a person, a script, MLproject and a wheel task of Databricks type it."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

from ontime_base.errors import OntimeError
from pipelines import cli
from pipelines.cli import app, execute, main
from pipelines.runtime import runner
from pipelines.runtime.figures import write_figures
from pipelines.runtime.runner import StageReport
from pipelines.runtime.source_code import PACKAGES, ROOT
from pipelines.stages import STAGES
from tests.pipelines.made_tables import refused, write_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.runtime.context import RunContext
    from pipelines.stages import Stage
    from tests.pipelines.released import ReleasedHome

NAMES = [stage.name for stage in STAGES]
HEAVY = ("pyspark", "mlflow", "sklearn", "pandas", "numpy", "rich")
GROUPS = ("release", "release ledger", "look", "prove", "deploy", "deploy databricks")


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command below a group, with the words that are typed for it."""
    for name, each in group.commands.items():
        if hasattr(each, "commands"):
            yield from commands(each, (*path, name))
        else:
            yield (*path, name), each


EVERY = dict(commands(typer.main.get_command(app)))


class RecordedRuns:
    """Stands for running stages: records what is requested, and fails on request."""

    def __init__(self) -> None:
        self.error: OntimeError | None = None
        self.calls: list[tuple[str, bool, dict[str, Any], RunContext]] = []

    def run_stage(
        self, stage: Stage, context: RunContext, *, force: bool, arguments: dict[str, Any]
    ) -> StageReport:
        self.calls.append((stage.name, force, arguments, context))
        if self.error is not None:
            raise self.error
        return StageReport(stage.name, skipped=False, seconds=1.0, outputs={"rows": 4})


@pytest.fixture
def recorded_runs(monkeypatch: pytest.MonkeyPatch, home: Path) -> RecordedRuns:
    assert home.is_dir()
    monkeypatch.delenv("ONTIME_ENV", raising=False)
    recorded_runs = RecordedRuns()
    monkeypatch.setattr(runner, "run_stage", recorded_runs.run_stage)
    return recorded_runs


def test_help_and_completion_import_no_heavy_library() -> None:
    # Given a new process, When it builds all commands, shows help and completes a word
    script = (
        "import sys; from pipelines.cli import execute; "
        "assert execute(['--help']) == 0; assert execute(['release', 'approve', '--help']) == 0; "
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    # Then nothing of what commands need was imported
    assert (done.returncode, done.stderr.strip()) == (0, "[]")


def test_a_shell_completes_commands_and_options() -> None:
    # Given what bash sends / When it requests the sub-commands of `ontime rel`
    environment = {
        "_PIPELINES.CLI_COMPLETE": "complete_bash",
        "_ONTIME_COMPLETE": "complete_bash",
        "COMP_WORDS": "ontime rel",
        "COMP_CWORD": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", "from pipelines.cli import main; main([])"],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ".", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    # Then
    assert done.stdout.split() == ["release"]


def texts_in(tree: ast.AST) -> Iterator[str]:
    """Yield every string of a source text, joined strings as a whole."""
    for node in ast.walk(tree):
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        values = [part.value for part in parts if isinstance(part, ast.Constant)]
        yield "".join(value for value in values if isinstance(value, str))


def test_every_command_that_a_message_names_exists() -> None:
    # Given every text of the packages, with what is filled in left out
    texts = [
        text
        for package in PACKAGES
        for file in Path(ROOT, package).rglob("*.py")
        for text in texts_in(ast.parse(file.read_text(encoding="utf-8")))
    ]
    # When the commands between back-ticks are read, up to their options
    named = {
        tuple(found[1].split())
        for text in texts
        for found in re.finditer(r"`ontime ([a-z][a-z_ -]*?)(?= *(?:`| --| [A-Z]))", text)
    }
    # Then they are commands (one may have an argument), and none is of the time before `ontime`
    known = {*EVERY, ("api-key", "somebody")}
    assert {("release", "ledger", "show"), ("train",)} <= named
    assert not {words for words in named if words not in known}
    assert not [text for text in texts if "`python -m pipelines" in text]


@pytest.mark.parametrize("path", [path for path in EVERY if path[0] == "release"], ids=" ".join)
def test_only_decisions_of_a_person_set_short_time_outs_for_the_registry(
    path: tuple[str, ...], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an empty home, and MLflow with its own time-outs
    assert home.is_dir()
    names = ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT")
    for name in names:
        monkeypatch.setenv(name, "")  # restores it afterwards
        monkeypatch.delenv(name)
    # When a command of the registry is given
    given = ["--by", "a person", "--reason", "a test"] if path[1] != "ledger" else []
    execute([*path, *given, *(["--weight", "0.1"] if path[1] == "rollout" else [])])
    # Then MLflow fails fast for decisions, and only for them
    assert [os.environ.get(name) for name in names] == (
        [None, None] if path[1] == "ledger" else ["1", "5"]
    )


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_command_explains_itself_with_options_in_kebab_case(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    # When its help is requested
    assert execute([*path, "--help"]) == 0
    # Then it describes what it does, and every option is documented, named alike, and given once
    command = EVERY[path]
    assert command.help
    assert command.help.strip().split("\n")[0].endswith((".", "skipped."))
    shown = capsys.readouterr().out
    options = [each for each in command.params if each.name != "help"]
    for option in options:
        for word in option.opts:
            assert word == word.lower().replace("_", "-") or not word.startswith("-"), word
            assert not word.startswith("--") or word in shown


def test_every_command_on_a_home_has_the_common_options() -> None:
    without = {
        ("api-key",), ("notebooks",), ("deploy", "wheel"), ("deploy", "lambda-bundle"),
        ("deploy", "databricks", "submit"), ("deploy", "databricks", "runtime-versions"),
        ("deploy", "definitions"),
    }  # fmt: skip
    for path in set(EVERY) - without:
        words = {word for option in EVERY[path].params for word in option.opts}
        assert {"--environment", "--set", "--debug"} <= words, path


@pytest.mark.parametrize("stage", STAGES, ids=NAMES)
def test_a_stage_has_the_options_of_its_declaration(stage: Stage) -> None:
    words = {word for option in EVERY[(stage.name,)].params for word in option.opts}
    assert {f"--{each.name.replace('_', '-')}" for each in stage.parameters} <= words
    assert {"--force", "--json"} <= words


@pytest.mark.parametrize(
    ("given", "force"),
    [([], False), (["--force"], True), (["--force", "yes"], True), (["--force", "no"], False)],
)
def test_a_switch_works_by_hand_and_from_mlproject(
    recorded_runs: RecordedRuns, given: list[str], *, force: bool
) -> None:
    assert execute(["train", *given]) == 0
    assert [call[:2] for call in recorded_runs.calls] == [("train", force)]


def test_a_parameter_of_a_stage_overrides_its_setting_or_is_handed_to_it(
    recorded_runs: RecordedRuns,
) -> None:
    # When days of another horizon are requested
    words = ["--horizon-min", "30", "--from", "2013-01-02", "--environment", "prod"]
    assert execute(["build_features", *words]) == 0
    # Then
    ((_, _, arguments, context),) = recorded_runs.calls
    assert arguments == {"from_day": "2013-01-02", "to_day": ""}
    assert context.settings.features.horizon_min == 30
    assert context.settings.environment == "prod"


def test_auto_is_as_if_it_were_not_given(recorded_runs: RecordedRuns) -> None:
    # When every option is handed on as MLproject does
    words = ["--horizon-min", "auto", "--as-of-ingest", "auto", "--environment", "auto"]
    assert execute(["build_features", *words, "--from", "", "--to", "", "--force", "no"]) == 0
    # Then
    ((_, _, arguments, context),) = recorded_runs.calls
    assert arguments == {"from_day": "", "to_day": ""}
    assert (context.settings.features.horizon_min, context.settings.environment) == (120, "dev")


def test_the_json_of_a_stage_is_all_that_is_on_standard_output(
    recorded_runs: RecordedRuns, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["train", "--json"]) == 0
    assert recorded_runs.calls
    printed = json.loads(capsys.readouterr().out)
    assert printed == {"stage": "train", "skipped": False, "seconds": 1.0, "outputs": {"rows": 4}}


def test_an_error_is_one_sentence_with_the_command_that_was_typed(
    recorded_runs: RecordedRuns, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded_runs.error = OntimeError("The file flights.csv is empty: bring another.")
    assert execute(["ingest"]) == 1
    err = capsys.readouterr().err
    assert err == "ontime ingest: The file flights.csv is empty: bring another.\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fly"], "No such command 'fly'"),
        (["build_features", "--horizon-min", "soon"], "'--horizon-min'"),
        (["train", "--force", "maybe"], "maybe"),
        (["train", "--horizon", "30"], "No such option"),
        (["run", "--until", "moon"], "only `evaluate`"),
        (["deploy", "databricks", "submit", "--stage", "fly"], "use one of ingest"),
    ],
)
def test_wrong_usage_ends_with_2(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(words) == 2
    assert message in capsys.readouterr().err


def test_a_successful_task_raises_nothing(recorded_runs: RecordedRuns) -> None:
    # Given a wheel task of Databricks, which takes every SystemExit for a failure
    main(["train", "--force", "no"])
    assert len(recorded_runs.calls) == 1


def test_a_task_that_fails_ends_with_its_exit_code(recorded_runs: RecordedRuns) -> None:
    recorded_runs.error = OntimeError("no")
    with pytest.raises(SystemExit) as ended:
        main(["train"])
    assert ended.value.code == 1
    with pytest.raises(SystemExit) as ended:
        main(["fly"])
    assert ended.value.code == 2


def test_the_groups_are_those_of_the_documents() -> None:
    assert {" ".join(path[:-1]) for path in EVERY} == {"", *GROUPS}
    assert set(cli.GROUPS) == {"", *GROUPS}


def test_tables_are_listed_with_their_rows(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Given one table
    rows = [refused("flights", "unknown_airport", "dest is QQQ", file="f.csv", row=1)]
    write_table(home, "quarantine", rows)
    # When / Then
    assert execute(["look", "tables"]) == 0
    assert capsys.readouterr().out.split() == ["quarantine", "1"]
    assert execute(["look", "tables", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"quarantine": 1}
    assert execute(["look", "freshness", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 1


def test_the_ledger_is_json_for_programs(
    released: ReleasedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a champion
    released.champion()
    entries = released.ledger.entries
    # When / Then
    assert execute(["release", "ledger", "show", "--json", "--last", "2"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [each["kind"] for each in shown] == [entry.kind for entry in entries[-2:]]
    for time in ([entries[-1].at], []):
        assert execute(["release", "ledger", "at", *time, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["champion"]["released"]["version"] == "1"
    assert execute(["release", "ledger", "verify", "--json"]) == 0
    assert all(check["holds"] for check in json.loads(capsys.readouterr().out))


@pytest.mark.parametrize("fails", [False, True])
def test_a_proof_prints_its_figures_as_json_also_if_it_failed(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, fails: bool
) -> None:
    # Given a proof that writes its figures, after figures of another day
    def prove(context: RunContext, *, processes: int) -> None:
        write_figures(context.settings.home, "skew-proof", {"equal": processes})
        context.console.say("1 of 2 months")
        if fails:
            raise OntimeError("A flight differs: compare.")

    write_figures(home, "skew-proof", {"equal": 7})
    monkeypatch.setattr("pipelines.proofs.skew.prove_no_skew", prove)
    # When / Then its progress is on standard error, and the figures alone on standard output
    assert execute(["prove", "skew", "--processes", "3", "--json"]) == int(fails)
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"equal": 3}
    assert "1 of 2 months" in shown.err
