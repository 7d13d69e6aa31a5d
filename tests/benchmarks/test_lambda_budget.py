"""The function in the real runtime client without numpy equals the service, bit for bit."""

from __future__ import annotations

import json
import platform
import shutil
import statistics
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import lambda_budget
from benchmarks.lambda_budget import BudgetError
from benchmarks.lambda_runtime import RuntimeHost, copy_installed, start_function
from benchmarks.lambda_starts import HANDLER, MEMORY_MB, NoPredictionError, measure
from benchmarks.lambda_world import World, events
from features.arrays.arrow import FLIGHT_COLUMNS, WEATHER_COLUMNS
from features.online.items_from_silver import online_items
from pipelines.deploy.lambda_bundle import LIBRARIES, LIMIT_MB, add_code, build_bundle
from serving.models.onnx_scorer import OnnxScorer
from serving.online.network import write_network
from serving.service.prediction_service import open_service
from serving.settings import ServingSettings
from serving.stores.artifacts.local import FolderArtifactStore
from serving.stores.online.sqlite import SqliteOnlineStore
from tests.features.real_weeks import real_weeks
from tests.pipelines.scored_world import release_small_model
from tests.serving.support import NETWORK, body_of

FLIGHTS = [
    body_of(scheduled_departure=f"2013-11-09T{hour}:25", scheduled_arrival=f"2013-11-09T{hour}:59")
    for hour in (13, 15, 17)
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the code with its libraries, and the runtime client."""
    task = tmp_path_factory.mktemp("task")
    add_code(task)
    return [copy_installed(task, LIBRARIES), copy_installed(tmp_path_factory.mktemp("runtime"))]


@pytest.fixture(scope="module")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with a released model of trees, and real online items: only copied."""
    home = tmp_path_factory.mktemp("released") / "home"
    release_small_model(FolderArtifactStore(home / "store"))
    world = real_weeks()
    flights, weather = world.flights.select(FLIGHT_COLUMNS), world.weather.select(WEATHER_COLUMNS)
    with closing(SqliteOnlineStore(home / "serving.db")) as store:
        store.put_many(dict(online_items(flights, weather, retain_days=2)))
        write_network(store, NETWORK)
    return home


@pytest.fixture
def released(made_home: Path, tmp_path: Path) -> Path:
    """Return a copy of that home."""
    return Path(shutil.copytree(made_home, tmp_path / "home"))


def in_home(home: Path) -> dict[str, str]:
    """Return the environment of a function that answers without API keys."""
    return {"ONTIME_HOME": str(home), "ONTIME_SERVING": '{"access": {"required": false}}'}


def test_the_function_gives_the_bits_of_the_service(
    released: Path, path: list[Path], tmp_path: Path
) -> None:
    # Given the service, which scores with onnxruntime, and the function, which has none
    shutil.copytree(released, tmp_path / "copy")
    service = open_service(ServingSettings(), tmp_path / "copy")
    service.refresh()
    scorer = service._follower.current().model.scorer  # noqa: SLF001 - no answer names the scorer
    assert isinstance(scorer, OnnxScorer)
    # When both answer requests for the same flights
    expected = [json.loads(service.predict(body).answer) for body in FLIGHTS]
    with (
        RuntimeHost() as host,
        start_function(
            host,
            HANDLER,
            path=path,
            environment=in_home(released),
            log=tmp_path / "log",
            memory_mb=MEMORY_MB,
        ) as process,
    ):
        try:
            replies = [json.loads(host.invoke(event).body) for event in events(FLIGHTS)]
        finally:
            process.kill()
    # Then probabilities are the same to the bit, from features that were there
    found = [json.loads(reply["body"]) for reply in replies]
    assert [each["probability"] for each in found] == [each["probability"] for each in expected]
    assert [each["missing"] for each in found] == [each["missing"] for each in expected]
    assert len(found[0]["missing"]) < 50
    assert len({each["probability"] for each in found}) > 1


def test_starts_and_warm_requests_are_measured(
    released: Path, path: list[Path], tmp_path: Path
) -> None:
    world = World("files", in_home(released))
    found = measure(world, path, events(FLIGHTS), tmp_path / "log", starts=2)
    assert len(found.starts) == 2
    assert len(found.warm_ms) == len(found.round_trip_ms) == len(FLIGHTS)
    assert 0 < found.median("cpu_ms") < found.median("ms")
    assert 10 < found.median("memory_mb") < MEMORY_MB
    assert found.warm_cpu_ms > 0


def test_a_function_without_a_model_is_not_measured(path: list[Path], tmp_path: Path) -> None:
    world = World("empty", in_home(tmp_path / "empty"))
    with pytest.raises(NoPredictionError, match="503"):
        measure(world, path, events(FLIGHTS), tmp_path / "log", starts=1)


def test_what_is_over_its_budget_is_named() -> None:
    within = {"unzipped_mb": 3.0, "init_ms": 180.0, "warm_p50_ms": 0.6}
    lambda_budget.validate_budget(within)
    with pytest.raises(BudgetError, match=r"init_ms is 512\.00, at most 500"):
        lambda_budget.validate_budget(within | {"init_ms": 512.0})


@pytest.mark.slow
def test_the_real_bundle_is_within_its_budget(released: Path, tmp_path: Path) -> None:
    # Given the bundle for this machine, built of wheels
    architecture = lambda_budget.MACHINES[platform.machine()]
    bundle = build_bundle(tmp_path / "zips", architecture)
    with zipfile.ZipFile(bundle.path) as archive:
        archive.extractall(tmp_path / "task")
    path = [tmp_path / "task", copy_installed(tmp_path / "runtime")]
    # When it is started on one core with 512 MB, and invoked
    world = World("files", in_home(released))
    found = measure(world, path, events(FLIGHTS * 30), tmp_path / "log", starts=7)
    # Then it stays within its budget, not counting the time that other processes took on its core
    assert bundle.unzipped_mb <= LIMIT_MB
    undisturbed = statistics.median(each.ms - each.waited_ms for each in found.starts)
    assert undisturbed <= lambda_budget.INIT_LIMIT_MS
    assert found.warm_cpu_ms <= lambda_budget.WARM_LIMIT_MS
