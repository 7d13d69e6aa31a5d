"""The bundle's files against the API's own types: `bundle validate` does not check them."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

import pytest
from databricks.sdk.service.compute import ClusterSpec
from databricks.sdk.service.jobs import JobAccessControlRequest, JobSettings

from pipelines.deploy.databricks.bundle import BundleError, job_of, read_bundle
from pipelines.deploy.wheel import ROOT
from pipelines.stages import STAGES

if TYPE_CHECKING:
    from pathlib import Path

TARGETS = ("dev", "staging", "prod")
JOBS = ("ontime", "ontime_on_cluster")


def settings_of(target: str, job: str) -> dict[str, Any]:
    return dict(job_of(ROOT, target=target, user="ana@example.com", job=job).settings)


@pytest.fixture(params=[(target, job) for target in TARGETS for job in JOBS], ids="-".join)
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    return settings_of(*request.param)


def test_every_field_is_defined_by_the_jobs_api_with_its_type(
    settings: dict[str, Any],
) -> None:
    # Given what the API's own type makes of the settings: unknown fields are lost on the way
    read = JobSettings.from_dict(settings)
    # Then
    assert read.as_dict() == settings


def test_the_tasks_are_the_stages_in_their_order(settings: dict[str, Any]) -> None:
    # Then: each after the one before it
    tasks = settings["tasks"]
    assert [task["task_key"] for task in tasks] == [stage.name for stage in STAGES]
    for before, task in itertools.pairwise(tasks):
        assert task["depends_on"] == [{"task_key": before["task_key"]}]
    # Then: each calls its stage in the wheel
    for task in tasks:
        wheel = task["python_wheel_task"]
        assert (wheel["package_name"], wheel["entry_point"]) == ("ontime_flights", "ontime")
        assert wheel["parameters"][0] == task["task_key"]


def test_environments_clusters_and_parameters_of_tasks_are_defined(
    settings: dict[str, Any],
) -> None:
    # Given
    environments = {each["environment_key"] for each in settings.get("environments", [])}
    clusters = {each["job_cluster_key"] for each in settings.get("job_clusters", [])}
    parameters = {each["name"] for each in settings["parameters"]}
    # Then
    for task in settings["tasks"]:
        assert task.get("environment_key") in {None, *environments}
        assert task.get("job_cluster_key") in {None, *clusters}
        assert ("environment_key" in task) != ("job_cluster_key" in task)
        given = " ".join(task["python_wheel_task"]["parameters"])
        assert set(re.findall(r"\{\{job\.parameters\.(\w+)\}\}", given)) == parameters


def test_every_task_is_tried_again_and_ends_in_time(settings: dict[str, Any]) -> None:
    # Then
    assert settings["max_concurrent_runs"] == 1
    assert all(
        0 < task["timeout_seconds"] < settings["timeout_seconds"] for task in settings["tasks"]
    )
    assert all(task["max_retries"] == 2 for task in settings["tasks"])


def test_serverless_environments_have_a_version() -> None:
    # Then
    for environment in settings_of("prod", "ontime")["environments"]:
        assert environment["spec"]["environment_version"].isdigit()


def test_the_schedule_is_quartz_cron_and_only_prod_has_it_running() -> None:
    # Given
    schedules = {target: settings_of(target, "ontime")["schedule"] for target in TARGETS}
    # Then: seconds, minutes, hours, day of month, month, day of week; one of the days is `?`
    for schedule in schedules.values():
        fields = schedule["quartz_cron_expression"].split()
        assert len(fields) in {6, 7}
        assert [fields[3], fields[5]].count("?") == 1
    assert {name: each["pause_status"] for name, each in schedules.items()} == {
        "dev": "PAUSED",
        "staging": "PAUSED",
        "prod": "UNPAUSED",
    }


def test_clusters_are_small_cheap_and_end_by_themselves() -> None:
    # Given
    (job_cluster,) = settings_of("prod", "ontime_on_cluster")["job_clusters"]
    lab = read_bundle(ROOT)["resources"]["clusters"]["lab"]
    # Then
    assert job_cluster["new_cluster"]["autoscale"]["max_workers"] <= 4
    assert job_cluster["new_cluster"]["aws_attributes"]["availability"] == "SPOT_WITH_FALLBACK"
    assert 0 < lab["autotermination_minutes"] <= 30
    unknown = set(lab) - set(ClusterSpec.from_dict(lab).as_dict())
    assert not unknown


def test_permissions_and_run_as_are_what_the_api_takes() -> None:
    # Given
    prod = job_of(ROOT, target="prod", user="ana@example.com")
    # Then
    for each in prod.permissions:
        entry = {
            ("permission_level" if key == "level" else key): value for key, value in each.items()
        }
        assert JobAccessControlRequest.from_dict(entry).as_dict() == entry
    assert prod.settings["run_as"] == {"service_principal_name": "ontime-prod"}
    assert prod.folder == "/Workspace/Shared/.bundle/ontime/prod"


def test_every_variable_is_declared_described_and_used() -> None:
    # Given
    bundle = read_bundle(ROOT)
    files = [ROOT / "databricks.yml", *(ROOT / "infra" / "databricks").glob("*.yml")]
    used = set(re.findall(r"\$\{var\.(\w+)\}", "".join(path.read_text() for path in files)))
    # Then
    assert used == set(bundle["variables"])
    assert all(variable["description"] for variable in bundle["variables"].values())
    for target in bundle["targets"].values():
        assert set(target.get("variables", {})) <= used


def test_no_host_is_in_the_files_and_every_include_finds_something() -> None:
    # Given
    bundle = read_bundle(ROOT)
    # Then: a host here would beat the environment's
    for level in (bundle, *bundle["targets"].values()):
        assert "host" not in (level.get("workspace") or {})
    assert all(list(ROOT.glob(pattern)) for pattern in bundle["include"])


def test_both_jobs_differ_only_in_where_they_run() -> None:
    # Given
    serverless, cluster = (settings_of("prod", job) for job in JOBS)
    # When
    for task in serverless["tasks"]:
        del task["environment_key"]
    for task in cluster["tasks"]:
        del task["job_cluster_key"], task["libraries"]
    for name in ("schedule", "environments", "performance_target"):
        del serverless[name]
    del cluster["job_clusters"]
    # Then
    assert cluster.pop("name") == f"{serverless.pop('name')} on a cluster"
    assert serverless == cluster


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("bundle: {name: a}\nbundle: {name: b}\n", "the key 'bundle' is there twice"),
        ("a: [", "cannot be read"),
        ("- a\n", "must hold a mapping"),
        ("bundle: {name: a}\ntargets: {dev: {variables: {x: 1}}}\n", "no variable 'x'"),
        ("bundle: {name: a}\ntargets: {dev: }\n", "no job 'ontime'"),
        (
            "bundle: {name: a}\ntargets: {dev: }\ninclude: [j.yml]\n",
            "refers to ${var.nothing}, which has no value",
        ),
    ],
)
def test_a_faulty_bundle_is_refused_in_a_sentence(tmp_path: Path, change: str, error: str) -> None:
    # Given
    (tmp_path / "databricks.yml").write_text(change)
    job = "resources: {jobs: {ontime: {name: '${var.nothing}'}}}\n"
    (tmp_path / "j.yml").write_text(job)
    # When / Then
    with pytest.raises(BundleError, match=re.escape(error)):
        job_of(tmp_path, target="dev", user="ana@example.com")


def test_a_missing_bundle_is_reported(tmp_path: Path) -> None:
    # When / Then
    with pytest.raises(BundleError, match="submit from a clone"):
        job_of(tmp_path, target="dev", user="ana@example.com")
