from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipelines.cli import execute
from pipelines.deploy.databricks import submit
from pipelines.deploy.databricks import workspace as workspace_module
from pipelines.deploy.wheel import build_wheel
from pipelines.stages import STAGES
from tests.pipelines.databricks.fake_workspace import TOKEN, FakeWorkspace, fake_workspace, poll

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = [stage.name for stage in STAGES]
SUBMIT = ["deploy", "databricks", "submit"]
WAIT = ["--wait", "--poll-s", "0"]


def every(word: str) -> dict[str, str]:
    return dict.fromkeys(NAMES, word)


WELL = [
    poll(every("waiting")),  # for the page
    poll({**every("waiting"), "ingest": "running"}),
    poll({**every("waiting"), "ingest": "SUCCESS", "build_features": "running"}),
    poll(every("SUCCESS"), end="SUCCESS"),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch, wheel: Path) -> Iterator[FakeWorkspace]:
    monkeypatch.setattr(submit, "build_wheel", lambda _: wheel)  # built once, it takes a second
    with fake_workspace() as fake:
        for name in ("DATABRICKS_CONFIG_PROFILE", "DATABRICKS_CONFIG_FILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("DATABRICKS_HOST", fake.url)
        monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
        monkeypatch.setattr(workspace_module, "_FIRST_PAUSE_S", 0.0)
        fake.script = list(WELL)
        yield fake


def test_a_first_submission_uploads_creates_starts_and_follows(
    workspace: FakeWorkspace, capsys: pytest.CaptureFixture[str]
) -> None:
    # When
    code = execute([*SUBMIT, "--target", "dev", *WAIT])
    # Then: the wheel is in the workspace, and the job installs exactly it
    output = capsys.readouterr().out
    assert code == 0, output
    ((path, body),) = workspace.files.items()
    assert path.startswith("/Workspace/Users/ana@example.com/.bundle/ontime/dev/wheels/")
    assert body.startswith(b"PK")
    ((job_id, job),) = workspace.jobs.items()
    assert job["environments"][0]["spec"]["dependencies"] == [path]
    assert [task["task_key"] for task in job["tasks"]] == NAMES
    assert job["name"] == "[dev ana] ontime dev"
    assert job["schedule"]["pause_status"] == "PAUSED"
    assert workspace.permissions[job_id][0]["permission_level"] == "CAN_MANAGE_RUN"
    # Then: each change is reported once, with the page of the run
    assert output.count("ingest           running") == 1
    assert "promote          done" in output
    assert f"{workspace.url}/run/500" in output
    assert "Run 500 succeeded" in output


def test_submitting_again_uploads_nothing_changes_nothing_and_starts_one_run(
    workspace: FakeWorkspace, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    assert execute([*SUBMIT, "--target", "dev", *WAIT]) == 0
    workspace.calls.clear()
    # When
    assert execute([*SUBMIT, "--target", "dev", *WAIT]) == 0
    # Then
    assert "unchanged" in capsys.readouterr().out
    assert "POST /api/2.0/workspace/import" not in workspace.calls
    assert "POST /api/2.2/jobs/reset" not in workspace.calls
    assert list(workspace.jobs) == [100]
    assert len(workspace.started) == 2


def test_another_target_is_a_job_of_its_own_with_its_values(workspace: FakeWorkspace) -> None:
    # When
    execute([*SUBMIT, "--target", "dev"])
    workspace.runs.clear()
    execute([*SUBMIT, "--target", "prod", "--compute", "cluster"])
    # Then
    prod = workspace.jobs[101]
    assert prod["name"] == "ontime prod on a cluster"
    assert prod["run_as"] == {"service_principal_name": "ontime-prod"}
    assert {each["name"]: each["default"] for each in prod["parameters"]}["catalog"] == "ontime"
    assert prod["job_clusters"][0]["new_cluster"]["autoscale"]["max_workers"] == 4


def test_a_job_that_differs_is_updated_in_place(
    workspace: FakeWorkspace, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given: it was changed manually
    execute([*SUBMIT, "--target", "dev"])
    workspace.jobs[100]["tags"]["definition"] = "of another day"
    workspace.runs.clear()
    # When
    execute([*SUBMIT, "--target", "dev"])
    # Then
    assert "job     100 '[dev ana] ontime dev' updated" in capsys.readouterr().out
    assert list(workspace.jobs) == [100]


def test_only_one_stage_is_run_when_it_is_named(workspace: FakeWorkspace) -> None:
    # When
    execute([*SUBMIT, "--target", "dev", "--stage", "train", "--force"])
    # Then
    (started,) = workspace.started.values()
    assert started["only"] == ["train"]
    assert started["job_parameters"] == {"force": "yes"}


def test_a_run_in_progress_is_followed_and_no_other_is_started(
    workspace: FakeWorkspace, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given: a submission whose caller went away
    execute([*SUBMIT, "--target", "dev"])
    # When
    code = execute([*SUBMIT, "--target", "dev", *WAIT])
    # Then
    assert code == 0
    assert "run     500 is in progress: no other is started" in capsys.readouterr().out
    assert list(workspace.started) == [500]


def test_a_failed_run_reports_the_error_of_its_task_and_exits_with_1(
    workspace: FakeWorkspace, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    failed = {**every("UPSTREAM_FAILED"), "ingest": "FAILED"}
    workspace.script = [poll(failed, end="FAILED", message="Task ingest failed")]
    workspace.outputs[9000] = {"error": "SourceError: no such file", "error_trace": "a\nb\nlast"}
    # When
    code = execute([*SUBMIT, "--target", "dev", *WAIT])
    # Then
    output = capsys.readouterr().out
    assert code == 1
    assert "ingest failed: SourceError: no such file" in output
    assert "    last" in output
    assert "train            left out" in output
    assert "Run 500 failed: Task ingest failed" in output


def test_a_cancelled_run_exits_with_1(
    workspace: FakeWorkspace, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    workspace.script = [poll(every("CANCELED"), end="CANCELED", message="by ana")]
    # When / Then
    assert execute([*SUBMIT, "--target", "dev", *WAIT]) == 1
    assert "Run 500 cancelled: by ana" in capsys.readouterr().out


def test_a_run_that_exceeds_the_time_out_continues_in_the_workspace(
    workspace: FakeWorkspace, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    workspace.script = [poll(every("running"))]
    # When / Then
    assert execute([*SUBMIT, "--target", "dev", *WAIT, "--timeout-min", "0"]) == 3
    assert "Run 500 continues" in capsys.readouterr().out


def test_ctrl_c_leaves_the_run_and_prints_how_to_resume(
    workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given: Ctrl-C at the second poll
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(submit, "follow", interrupt)
        assert execute([*SUBMIT, "--target", "dev", *WAIT]) == 130
    assert "The same command follows it again" in capsys.readouterr().err
    # When
    assert execute([*SUBMIT, "--target", "dev", *WAIT]) == 0
    # Then
    assert list(workspace.started) == [500]


@pytest.mark.parametrize(
    "call",
    [
        "GET /api/2.0/preview/scim/v2/Me",
        "POST /api/2.0/workspace/import",
        "GET /api/2.2/jobs/list",
        "POST /api/2.2/jobs/create",
        "POST /api/2.2/jobs/run-now",
        "GET /api/2.2/jobs/runs/get",
    ],
)
@pytest.mark.parametrize("status", [429, 500])
def test_a_busy_or_failing_workspace_is_retried(
    workspace: FakeWorkspace, call: str, status: int
) -> None:
    # Given
    codes = {429: "REQUEST_LIMIT_EXCEEDED", 500: "INTERNAL_ERROR"}
    workspace.faults[call] = [(status, {"error_code": codes[status], "message": "not now"})]
    # When / Then
    assert execute([*SUBMIT, "--target", "dev", *WAIT]) == 0
    assert len(workspace.jobs) == len(workspace.started) == 1


@pytest.mark.parametrize("call", ["POST /api/2.2/jobs/create", "POST /api/2.2/jobs/run-now"])
def test_a_lost_answer_creates_nothing_twice(workspace: FakeWorkspace, call: str) -> None:
    # Given: the workspace does it, and its answer never arrives
    workspace.lost[call] = 1
    # When / Then
    assert execute([*SUBMIT, "--target", "dev", *WAIT]) == 0
    assert len(workspace.jobs) == len(workspace.started) == 1


def test_a_workspace_that_fails_every_retry_is_reported_in_one_sentence(
    workspace: FakeWorkspace, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    down = (500, {"error_code": "INTERNAL_ERROR", "message": "down"})
    workspace.faults["GET /api/2.2/jobs/list"] = [down] * 20
    # When / Then
    assert execute([*SUBMIT, "--target", "dev"]) == 1
    assert "The workspace failed 4 times (down): submit again later" in capsys.readouterr().err


def test_an_expired_token_is_reported_with_the_way_out(
    workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    monkeypatch.setenv("DATABRICKS_TOKEN", "of last year")
    # When / Then
    assert execute([*SUBMIT, "--target", "dev"]) == 1
    assert "which may have expired" in capsys.readouterr().err
    assert not workspace.jobs


def test_a_missing_permission_is_reported(
    workspace: FakeWorkspace, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    refused = (403, {"error_code": "PERMISSION_DENIED", "message": "ana may not run jobs"})
    workspace.faults["POST /api/2.2/jobs/run-now"] = [refused]
    # When / Then
    assert execute([*SUBMIT, "--target", "dev"]) == 1
    assert "ana may not run jobs" in capsys.readouterr().err


def test_two_jobs_of_the_name_are_refused(
    workspace: FakeWorkspace, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    workspace.jobs = {number: {"name": "[dev ana] ontime dev"} for number in (7, 8)}
    # When / Then
    assert execute([*SUBMIT, "--target", "dev"]) == 1
    assert "Jobs 7, 8 are all named" in capsys.readouterr().err


def test_a_missing_workspace_configuration_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: object
) -> None:
    # Given
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_CONFIG_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", f"{tmp_path}/none")
    # When / Then
    assert execute([*SUBMIT, "--target", "dev"]) == 1
    assert "set DATABRICKS_HOST and DATABRICKS_TOKEN" in capsys.readouterr().err


def test_an_unknown_target_is_reported(
    workspace: FakeWorkspace, capsys: pytest.CaptureFixture[str]
) -> None:
    # When / Then
    assert execute([*SUBMIT, "--target", "nowhere"]) == 1
    assert "no target 'nowhere': use one of dev, staging, prod" in capsys.readouterr().err
    assert not workspace.jobs
