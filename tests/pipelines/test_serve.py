"""`make serve`: what a person sees."""

from __future__ import annotations

import shlex
import signal
import subprocess
from typing import TYPE_CHECKING

import httpx
import pytest

from pipelines.cli import execute
from serving.server.listening import reserve_port
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
    with serving_process(home):
        # When the printed line is run
        printed = (home / "serve.log").read_text().splitlines()
        command = shlex.split(next(line for line in printed if line.startswith("  curl ")))
        answer = subprocess.run(
            [*command, "--silent", "--fail"], capture_output=True, text=True, check=True
        ).stdout
    # Then it is answered
    assert '"flight_id":"UA-389-2013123023"' in answer


def test_without_a_release_one_sentence_names_the_way_out(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["serve", "--port", "0"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(
        f"ontime serve: No model is released in {home}/store: run `make run` first"
    )
    assert error.count("\n") == 1


def test_a_port_in_use_is_reported_in_one_sentence(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a_home(home)
    with reserve_port("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert execute(["serve", "--port", str(port)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"ontime serve: Port {port} on 127.0.0.1 is in use: ")
    assert error.count("\n") == 1


def test_an_unknown_environment_is_reported_in_one_sentence(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert home.is_dir()
    assert execute(["serve", "--environment", "moon"]) == 1
    assert "moon" in capsys.readouterr().err


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["serve", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(option in shown for option in ("--host", "--port", "--environment"))


def test_ctrl_c_ends_it_quietly(home: Path) -> None:
    # Given a server, When it is interrupted, Then it ends well, without a traceback
    a_home(home)
    with serving_process(home) as (process, url):
        assert httpx.get(f"{url}/ready").status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
    assert (home / "serve.log").read_text().endswith("serve: stopped\n")


def test_a_damaged_store_is_reported_in_one_sentence(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a_home(home)
    for name in ("serving.db", "serving.db-wal", "serving.db-shm"):
        (home / name).unlink(missing_ok=True)
    (home / "serving.db").write_bytes(b"no database" * 1000)
    assert execute(["serve", "--port", "0"]) == 1
    shown = capsys.readouterr()
    assert "serving.db cannot be used" in shown.err
    assert shown.out == ""
