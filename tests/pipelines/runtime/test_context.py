from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from pipelines.runtime.context import RunContext
from pipelines.runtime.stage_records import StageNotRunError
from pipelines.settings import load_settings


@pytest.fixture
def context(home: Path, monkeypatch: pytest.MonkeyPatch) -> RunContext:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert home.is_dir()
    return RunContext(load_settings("dev"))


def test_runs_and_their_files_are_stored_at_home(context: RunContext, home: Path) -> None:
    assert context.tracking.store == f"sqlite:///{home}/mlflow.db"
    assert context.tracking.artifacts == f"file://{home}/mlartifacts"


def test_the_tracking_store_that_the_environment_names_is_used(
    context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert context.tracking.store == "http://127.0.0.1:5000"
    assert context.tracking.artifacts is None


def test_what_mlflow_falls_back_to_by_itself_is_nobodys_choice(
    context: RunContext, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{Path.cwd()}/mlflow.db")
    assert context.tracking.store == f"sqlite:///{home}/mlflow.db"


def test_the_store_at_home_named_by_the_environment_has_its_files_at_home(
    context: RunContext, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home}/mlflow.db")
    assert context.tracking.artifacts == f"file://{home}/mlartifacts"


def test_outputs_of_a_stage_that_has_not_run_are_an_error(context: RunContext) -> None:
    with pytest.raises(StageNotRunError, match="Stage train has not finished"):
        context.outputs("train")


def test_a_collaborator_that_is_handed_in_is_used(context: RunContext) -> None:
    # Given a context with another registry
    registry = object()
    other = context.using(registry=registry)
    # Then it uses that one, and all else as the context that it comes from
    assert other.registry is registry
    assert context.registry is not registry
    assert other.settings is context.settings
    # And a name that is none is refused
    with pytest.raises(TypeError, match="no collaborator sparks"):
        context.using(sparks=None)


def test_a_run_that_reads_no_tables_starts_no_spark(context: RunContext) -> None:
    with context as entered:
        assert entered is context
    assert "spark" not in context.__dict__


def test_release_ledger_and_packages_are_where_the_configuration_states(
    context: RunContext, home: Path, tmp_path: Path
) -> None:
    # Given the artifact store in a folder of its own
    elsewhere = msgspec.structs.replace(context.settings.serving, store_uri=str(tmp_path / "there"))
    settings = context.settings.model_copy(update={"serving": elsewhere})
    # When something is written, Then it is in that folder, and not at home
    RunContext(settings).artifacts.create("release.json", b"{}")
    assert (tmp_path / "there" / "release.json").is_file()
    assert not (home / "store").exists()
