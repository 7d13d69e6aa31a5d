"""Decision command rollback: takes effect immediately, under a running server and during a run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx
import pytest

from pipelines.cli import execute
from pipelines.runtime.context import RunContext
from pipelines.runtime.home_lock import only_run
from pipelines.settings import load_settings
from serving.docs.openapi import EXAMPLE_REQUEST
from serving.models.release_document import read_release
from tests.serving.support import serving_process
from training.registry.registry_errors import RegistryUnusableError
from training.tracking.run_files import FINGERPRINT_TAG, MODEL_TAG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.pipelines.released import ReleasedHome

ROLLBACK = ["release", "rollback"]
WHO = ["--by", "Ada", "--reason", "false alarms"]


def answering(client: httpx.Client) -> str:
    version: str = client.get("/model").json()["version"]
    return version


def seconds_until(client: httpx.Client, version: str) -> float:
    started = time.perf_counter()
    while answering(client) != version:
        assert time.perf_counter() - started < 15
        time.sleep(0.02)
    return time.perf_counter() - started


def test_a_running_server_answers_with_the_previous_champion_within_seconds(
    released: ReleasedHome,
) -> None:
    # Given a server that answers with the second champion
    released.champion(probability=0.2)
    released.champion(probability=0.4)
    with (
        serving_process(released.home) as (_, url),
        httpx.Client(base_url=url) as client,
    ):
        assert answering(client) == "2"
        # When it is rolled back, Then it answers with the first, without a restart
        assert execute([*ROLLBACK, *WHO]) == 0
        assert seconds_until(client, "1") < 5  # it polls every second
        answer = client.post("/model/predict", json=EXAMPLE_REQUEST).json()
        assert answer["model"]["version"] == "1"
        assert answer["probability"] == pytest.approx(0.2, abs=0.01)
    # And registry, document and ledger agree
    release = read_release(released.context.artifacts)
    assert release is not None
    assert release.document.champion == released.state.release.champion
    assert released.aliases == {"champion": "1", "challenger": None}


def test_it_reports_its_changes_and_is_idempotent(
    released: ReleasedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    released.champion()
    released.champion()
    released.on_trial()
    assert execute([*ROLLBACK, *WHO]) == 0
    output = capsys.readouterr().out
    assert "rolled back: the champion is version 1, was 2" in output
    assert "version 3 stays the challenger and answers 0% of the flights" in output
    entries = len(released.ledger.entries)
    assert execute([*ROLLBACK, *WHO]) == 0
    assert "done already, by Ada for this reason: the champion is 1" in capsys.readouterr().out
    assert len(released.ledger.entries) == entries


def test_it_does_not_wait_for_a_run_in_the_same_home(released: ReleasedHome) -> None:
    released.champion()
    released.champion()
    with only_run(released.home):
        assert execute([*ROLLBACK, *WHO]) == 0
    assert released.aliases["champion"] == "1"


def test_aliases_and_force(released: ReleasedHome, capsys: pytest.CaptureFixture[str]) -> None:
    released.champion()
    released.on_trial()
    assert execute([*ROLLBACK, *WHO, "--version", "Staging"]) == 1
    assert "Version 2 was never champion (champions were 1)" in capsys.readouterr().err
    assert execute([*ROLLBACK, *WHO, "--version", "Staging", "--force"]) == 0
    assert released.aliases == {"champion": "2", "challenger": None}


def test_a_damaged_package_is_refused_before_anything_changes(
    released: ReleasedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    released.champion()
    released.champion()
    (released.home / "store" / "models" / "ontime" / "1" / "model.onnx").write_bytes(b"cut")
    entries = len(released.ledger.entries)
    assert execute([*ROLLBACK, *WHO]) == 1
    assert "1/model.onnx has 3 bytes" in capsys.readouterr().err
    assert len(released.ledger.entries) == entries


def test_a_version_that_the_registry_lost_is_refused(
    released: ReleasedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    released.champion()
    released.champion()
    released.context.tracking.client.delete_model_version("ontime", "1")
    assert execute([*ROLLBACK, *WHO]) == 1
    assert "has no version 1 in the registry: it has 2" in capsys.readouterr().err
    assert released.state.release.champion is not None
    assert released.state.release.champion.version == "2"


@pytest.fixture
def registry_that_is_down(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stands for a server that cannot be reached."""

    def down(*_: object) -> None:
        raise RegistryUnusableError("The registry http://127.0.0.1:9 did not do what was asked.")

    with monkeypatch.context() as patched:
        patched.setattr("training.registry.model_registry.Registry.get", down)
        patched.setattr("training.registry.model_registry.Registry.version_of", down)
        yield


def test_a_registry_that_is_down_does_not_block_the_rollback(
    released: ReleasedHome, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    # Given two champions, and then a registry that is down
    released.champion()
    released.champion()
    request.getfixturevalue("registry_that_is_down")
    # When it is rolled back, Then servers get the first, and the aliases are reported as behind
    assert execute([*ROLLBACK, *WHO]) == 0
    output = capsys.readouterr().out
    assert "continuing without the registry" in output
    assert "the aliases will follow with the next command or run" in output
    release = read_release(released.context.artifacts)
    assert release is not None
    assert release.document.champion is not None
    assert release.document.champion.version == "1"


def test_a_name_and_a_reason_are_required(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(ROLLBACK) == 2
    assert "Missing option '--by'" in capsys.readouterr().err


def _emptied(home: Path, empty_store: Path) -> None:
    (home / "mlflow.db").write_bytes(empty_store.read_bytes())


def _no_database(home: Path, _: Path) -> None:
    (home / "mlflow.db").write_bytes(b"no database" * 1000)


def _renamed_model(_home: Path, _: Path) -> None:
    RunContext(load_settings("dev")).tracking.client.rename_registered_model("ontime", "other")


def _begun_anew(home: Path, empty_store: Path) -> None:
    _emptied(home, empty_store)
    context = RunContext(load_settings("dev"))
    for fingerprint in ("x", "y"):
        tags = {FINGERPRINT_TAG: fingerprint, MODEL_TAG: "file:///a/model"}
        with context.tracking.open_run("one", tags=tags) as run_id:
            pass
        context.registry.register(run_id)


@pytest.mark.parametrize("lose", [_emptied, _no_database, _renamed_model, _begun_anew])
def test_a_rollback_works_without_its_registry(
    released: ReleasedHome,
    capsys: pytest.CaptureFixture[str],
    empty_store: Path,
    lose: Callable[[Path, Path], None],
) -> None:
    # Given two champions, and a registry that is empty, renamed, lost or begun anew
    released.champion()
    released.champion()
    lose(released.home, empty_store)
    (released.home / "store" / "ledger" / "notes (1).txt").write_text("what happened")
    # When it is rolled back, Then it is, and what cannot be done is said
    assert execute([*ROLLBACK, *WHO]) == 0
    output = capsys.readouterr().out
    assert "rolled back: the champion is version 1, was 2" in output
    assert "continuing without the registry" in output
    release = read_release(released.context.artifacts)
    assert release is not None
    assert release.document.champion is not None
    assert release.document.champion.version == "1"


def test_a_deleted_version_is_taken_if_a_person_insists(
    released: ReleasedHome, capsys: pytest.CaptureFixture[str]
) -> None:
    released.champion()
    released.champion()
    released.context.tracking.client.delete_model_version("ontime", "1")
    assert execute([*ROLLBACK, *WHO, "--force"]) == 0
    assert "the aliases stay as they are" in capsys.readouterr().out
    assert released.state.release.champion is not None
    assert released.state.release.champion.version == "1"


@pytest.mark.parametrize(
    ("by", "reason"),
    [
        ("Ada\n    9  2026-01-01 00:00:00  promoted  9  Eve", "why"),
        ("Ada", "why\x1b[2K"),
        ("", "why"),
        ("pipeline", "why"),
    ],
)
def test_a_decision_without_a_person_is_refused(
    released: ReleasedHome, capsys: pytest.CaptureFixture[str], by: str, reason: str
) -> None:
    commands = (
        ["rollback"],
        ["promote"],
        ["approve"],
        ["reject"],
        ["rollout", "--weight", "0.5"],
    )
    for command in commands:
        assert execute(["release", *command, "--by", by, "--reason", reason]) == 1
        shown = capsys.readouterr().err
        assert shown.count("\n") == 1
        assert shown.rstrip("\n").isprintable()
    assert released.ledger.entries == ()
