"""`make serve`: what a person sees."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from pipelines.serve import main
from serving.listening import listen
from tests.serving.support import a_home, serving_process

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ONTIME_HOME", str(tmp_path))
    return tmp_path


def test_the_printed_curl_line_works_as_it_stands(home: Path) -> None:
    # Given a served release
    a_home(home)
    with serving_process(home) as (process, _):
        assert process.stdout is not None
        assert "Try" in process.stdout.readline()
        # When the printed line is run
        command = shlex.split(process.stdout.readline())
        answer = subprocess.run(
            [*command, "--silent", "--fail"], capture_output=True, text=True, check=True
        ).stdout
    # Then it is answered
    assert '"flight_id":"UA-642-2013123115"' in answer


def test_without_a_release_one_sentence_names_the_way_out(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--port", "0"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"serve: No model is released in {home}: run `make run` first")
    assert error.count("\n") == 1


def test_a_port_in_use_is_one_sentence(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_home(home)
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert main(["--port", str(port)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"serve: Port {port} on 127.0.0.1 is in use: ")
    assert error.count("\n") == 1


def test_an_unknown_environment_is_one_sentence(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert home.is_dir()
    assert main(["--env", "moon"]) == 1
    assert "moon" in capsys.readouterr().err


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert all(option in shown for option in ("--host", "--port", "--env"))
