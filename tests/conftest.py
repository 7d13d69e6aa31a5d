"""What tests share: one Spark session, a home folder for each, an MLflow store, an emulated AWS."""

from __future__ import annotations

import shutil
import sys
import uuid
from typing import TYPE_CHECKING, Final

import pytest

from training.environment import wait_without_spinning

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pyspark.sql import SparkSession

    from pipelines.tables.delta_tables import Tables
    from pipelines.tables.table_reader import TableReader
    from tests.emulated_aws import EmulatedAws


INTERPRETED: Final = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
}
# In a JVM that lives for minutes the optimizing compiler and the parallel collector cost more than
# they save: a third of its CPU time.
SHORT_LIVED: Final = {
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmn600m"
}

OPENED: Final = pytest.StashKey[bool]()


def pytest_configure() -> None:
    wait_without_spinning()  # before any test imports scikit-learn


def pytest_pycollect_makemodule(module_path: Path) -> None:
    """Configure hypothesis before a module that uses it is imported; it takes half a second."""
    if "hypothesis" in module_path.read_text(encoding="utf-8"):
        import hypothesis  # noqa: PLC0415 - only for tests that use it

        # No deadline per example: slowness is not a failure, and pytest's time-out ends a hang.
        hypothesis.settings.register_profile("ontime", deadline=None)
        hypothesis.settings.load_profile("ontime")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Drop the plugin of hypothesis where no test uses it: its summary imports all of it."""
    plugins = session.config.pluginmanager
    if "hypothesis" not in sys.modules and plugins.has_plugin("hypothesispytest"):
        plugins.unregister(name="hypothesispytest")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--spark-remote",
        default=None,
        help="run the Spark tests against this Spark Connect address, such as local[2]",
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    if any("chromium" in str(report.longrepr) for report in skipped):
        terminalreporter.write_line(
            "The page was not looked at, for there is no browser: install chromium and its driver "
            "(Debian: apt-get install chromium chromium-driver) to have it tested as well."
        )


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Refuse a session that a test started by itself in this process: it takes 20 s of CPU time."""
    loaded = sys.modules.get("pyspark.sql")
    if loaded is None or OPENED in item.config.stash:
        return
    if (started := loaded.SparkSession.getActiveSession()) is not None:
        started.stop()
        pytest.fail("The test started Spark: take the fixture `spark`, or give it a context.")


@pytest.fixture(scope="session")
def spark(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SparkSession]:
    """The one Spark session of the test run, built the way the pipelines build theirs.

    Small data spends its time in compiling: a classic session interprets its plans here. Under
    Spark Connect (`make test-connect`) the tests run compiled and adaptive, as in production.
    """
    from pipelines.settings import SparkSettings  # noqa: PLC0415 - only for tests that use Spark
    from pipelines.spark.session import open_session  # noqa: PLC0415 - only for tests that use Spark

    remote = request.config.getoption("--spark-remote")
    settings = SparkSettings(
        remote=remote,
        config=SHORT_LIVED if remote else INTERPRETED | SHORT_LIVED,
        master="local[2]",
        driver_memory="2g",
        shuffle_partitions=2,
    )
    session = open_session(settings, home=tmp_path_factory.mktemp("spark-home"))
    request.config.stash[OPENED] = True
    yield session
    session.stop()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, which `ONTIME_HOME` names."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("ONTIME_HOME", str(folder))
    return folder


@pytest.fixture
def tables(spark: SparkSession, home: Path) -> Tables:
    """Delta tables below the test's own home folder."""
    from pipelines.tables.delta_tables import Tables  # noqa: PLC0415 - only for tests that use Spark

    return Tables(spark, str(home / "tables"))


@pytest.fixture
def reader(tables: Tables, home: Path) -> TableReader:
    """The same tables, read without Spark."""
    from pipelines.tables.table_reader import TableReader  # noqa: PLC0415 - only for tests that ask for it

    return TableReader(str(home / "tables"), lambda: tables)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the SQLite file of a tracking store without runs: making one takes seconds."""
    from training.tracking.tracking_store import Tracking  # noqa: PLC0415 - only for tests that ask for it

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    Tracking(f"sqlite:///{path}", "ontime").client.search_experiments()
    return path


@pytest.fixture(scope="session")
def mlflow_address(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of the one MLflow server of the test run."""
    from tests.mlflow_server import mlflow_server  # noqa: PLC0415 - only for tests that ask for it

    folder = tmp_path_factory.mktemp("mlflow-server")
    shutil.copy(empty_store, folder / "mlflow.db")
    with mlflow_server(folder, folder / "mlflow.db") as address:
        yield address


@pytest.fixture(scope="session")
def aws_server() -> Iterator[EmulatedAws]:
    """The one emulated AWS of the test run; tests use resources of different names."""
    from tests.emulated_aws import emulated_aws  # noqa: PLC0415 - only for tests that ask for it

    with emulated_aws() as running:
        yield running


@pytest.fixture
def aws(aws_server: EmulatedAws, monkeypatch: pytest.MonkeyPatch) -> EmulatedAws:
    """The emulated AWS, which the environment of this process names."""
    for name, value in aws_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return aws_server


@pytest.fixture
def bucket(aws: EmulatedAws) -> str:
    """A new, empty bucket of the emulated S3."""
    name = f"ontime-{uuid.uuid4()}"
    aws.client("s3").create_bucket(Bucket=name)
    return name
