from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ontime_base.configuration import ConfError
from ontime_base.errors import OntimeError
from pipelines.runtime.command import parser_of, run_command, settings_of
from pipelines.stages import Parameter, stage_named

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from pipelines.runtime.context import RunContext

HORIZON = stage_named("build_features").parameters[0]
PARAMETERS = (HORIZON, Parameter(name="by", kind=str, help="who decides", default="pipeline"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ONTIME_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ONTIME_ENV", raising=False)
    return tmp_path / "home"


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    return parser_of("command", "Does something.", PARAMETERS)


def test_help_tells_type_default_and_meaning_of_every_parameter(
    parser: argparse.ArgumentParser,
) -> None:
    text = " ".join(parser.format_help().split())
    assert "--horizon-min INT minutes from the prediction time to the scheduled departure" in text
    assert "(default: auto: as conf/ says)" in text
    assert "--by STR who decides (default: pipeline)" in text
    assert "--force [yes|no]" in text


@pytest.mark.parametrize("given", [[], ["--horizon-min", "auto", "--environment", "auto"]])
def test_what_is_not_given_is_as_the_configuration_says(
    parser: argparse.ArgumentParser, given: list[str]
) -> None:
    arguments = parser.parse_args(given)
    settings = settings_of(PARAMETERS, arguments)
    assert (settings.features.horizon_min, settings.environment) == (120, "dev")
    assert arguments.by == "pipeline"


def test_a_given_parameter_overrides_its_setting(parser: argparse.ArgumentParser) -> None:
    arguments = parser.parse_args(["--horizon-min", "30", "--environment", "prod"])
    settings = settings_of(PARAMETERS, arguments)
    assert (settings.features.horizon_min, settings.environment) == (30, "prod")


def test_a_value_out_of_range_is_named_with_its_key(parser: argparse.ArgumentParser) -> None:
    with pytest.raises(ConfError, match=r"'0' is not valid for features\.horizon_min"):
        settings_of(PARAMETERS, parser.parse_args(["--horizon-min", "0"]))


def test_a_value_of_another_type_is_named(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser.parse_args(["--horizon-min", "soon"])
    assert "--horizon-min: invalid int value: 'soon'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "force"),
    [([], False), (["--force"], True), (["--force", "yes"], True), (["--force", "no"], False)],
)
def test_a_switch_works_by_hand_and_from_mlproject(
    parser: argparse.ArgumentParser, given: list[str], *, force: bool
) -> None:
    assert parser.parse_args(given).force is force


def test_a_switch_takes_nothing_else(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser.parse_args(["--force", "maybe"])
    assert "'maybe' is neither yes nor no" in capsys.readouterr().err


def test_work_that_ends_well_exits_with_0_on_its_own_home(
    parser: argparse.ArgumentParser, home: Path
) -> None:
    homes: list[Path] = []
    code = run_command(parser, PARAMETERS, lambda c, _: homes.append(c.settings.home), [])
    assert (code, homes) == (0, [home])


def test_an_error_of_the_domain_is_one_sentence_and_exit_code_1(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(_: RunContext, __: argparse.Namespace) -> None:
        raise OntimeError("The file flights.csv is empty: bring another.")

    assert run_command(parser, PARAMETERS, work, []) == 1
    assert capsys.readouterr().err == "command: The file flights.csv is empty: bring another.\n"
    assert run_command(parser, PARAMETERS, work, ["--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_error_of_ours_is_not_hidden(parser: argparse.ArgumentParser) -> None:
    def work(_: RunContext, __: argparse.Namespace) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_command(parser, PARAMETERS, work, [])


def test_ctrl_c_is_told_in_a_sentence(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(_: RunContext, __: argparse.Namespace) -> None:
        raise KeyboardInterrupt

    assert run_command(parser, PARAMETERS, work, []) == 130
    assert "stopped" in capsys.readouterr().err


def test_a_wrong_configuration_is_told_before_anything_is_done(
    parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    code = run_command(parser, PARAMETERS, lambda _, __: None, ["--environment", "moon"])
    assert code == 1
    assert "Unknown environment 'moon'" in capsys.readouterr().err
    assert not home.exists()


def test_any_key_of_the_configuration_can_be_set(parser: argparse.ArgumentParser) -> None:
    # Given
    given = ["--set", "tables.uri=catalog:main.ontime", "--set", "features.horizon_min=30"]
    # When
    settings = settings_of(PARAMETERS, parser.parse_args(given))
    # Then
    assert settings.tables.uri == "catalog:main.ontime"
    assert settings.features.horizon_min == 30


@pytest.mark.parametrize("text", ["tables.url=x", "tables", "moon.uri=x", "tables.uri.deep=x"])
def test_a_key_that_is_not_there_cannot_be_set(parser: argparse.ArgumentParser, text: str) -> None:
    # When / Then
    with pytest.raises(ConfError, match="there is no key"):
        settings_of(PARAMETERS, parser.parse_args(["--set", text]))


def test_a_value_that_cannot_be_is_refused(parser: argparse.ArgumentParser) -> None:
    # When / Then
    with pytest.raises(ConfError, match="not valid for features"):
        settings_of(PARAMETERS, parser.parse_args(["--set", "features.horizon_min=soon"]))
