from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ontime_base.configuration import ConfError
from ontime_base.errors import OntimeError
from pipelines.runtime.command import CommonOptions, run_command, settings_of

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.runtime.context import RunContext


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ONTIME_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ONTIME_ENV", raising=False)
    return tmp_path / "home"


def overridden(*texts: str) -> CommonOptions:
    return CommonOptions(overrides=texts)


def test_an_omitted_option_has_the_value_of_the_configuration() -> None:
    settings = settings_of(CommonOptions(), {"features.horizon_min": None})
    assert (settings.features.horizon_min, settings.environment) == (120, "dev")


def test_a_given_value_overrides_its_key() -> None:
    settings = settings_of(CommonOptions(environment="prod"), {"features.horizon_min": 30})
    assert (settings.features.horizon_min, settings.environment) == (30, "prod")


def test_a_value_out_of_range_is_named_with_its_key() -> None:
    with pytest.raises(ConfError, match=r"'0' is not valid for features\.horizon_min"):
        settings_of(CommonOptions(), {"features.horizon_min": 0})


def test_successful_work_exits_with_0_on_its_own_home(home: Path) -> None:
    homes: list[Path] = []
    code = run_command("command", lambda context: homes.append(context.settings.home))
    assert (code, homes) == (0, [home])


def test_work_may_have_an_exit_code_of_its_own() -> None:
    assert run_command("command", lambda _: 3) == 3


def test_an_error_of_the_domain_is_one_sentence_and_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def work(_: RunContext) -> None:
        raise OntimeError("The file flights.csv is empty: bring another.")

    assert run_command("command", work) == 1
    assert capsys.readouterr().err == "command: The file flights.csv is empty: bring another.\n"
    assert run_command("command", work, CommonOptions(debug=True)) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_unexpected_error_is_not_hidden() -> None:
    def work(_: RunContext) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_command("command", work)


def test_ctrl_c_is_reported_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    def work(_: RunContext) -> None:
        raise KeyboardInterrupt

    assert run_command("command", work) == 130
    assert "stopped" in capsys.readouterr().err


def test_a_wrong_configuration_is_reported_before_anything_is_done(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    code = run_command("command", lambda _: None, CommonOptions(environment="moon"))
    assert code == 1
    assert "Unknown environment 'moon'" in capsys.readouterr().err
    assert not home.exists()


def test_any_key_of_the_configuration_can_be_set() -> None:
    # Given
    options = overridden("tables.uri=catalog:main.ontime", "features.horizon_min=30")
    # When
    settings = settings_of(options, {})
    # Then
    assert settings.tables.uri == "catalog:main.ontime"
    assert settings.features.horizon_min == 30


@pytest.mark.parametrize("text", ["tables.url=x", "tables", "moon.uri=x", "tables.uri.deep=x"])
def test_a_key_that_is_not_there_cannot_be_set(text: str) -> None:
    # When / Then
    with pytest.raises(ConfError, match="there is no key"):
        settings_of(overridden(text), {})


def test_a_value_that_cannot_be_is_refused() -> None:
    # When / Then
    with pytest.raises(ConfError, match="not valid for features"):
        settings_of(overridden("features.horizon_min=soon"), {})
