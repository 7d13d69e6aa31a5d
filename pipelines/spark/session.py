"""The Spark session: an active one is reused, else a quiet local one is built, in UTC.

In a notebook, `from pipelines.spark.session import spark, table` gives a ready session and any
table by its name; both follow conf/ and `ONTIME_ENV` as every command does.
"""

from __future__ import annotations

import os
import shutil
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from ontime_base.configuration import on_databricks
from ontime_base.errors import OntimeError
from pipelines.settings import java_command, load_settings
from pipelines.spark.jars import delta_jars
from pipelines.spark.java import validate_java
from pipelines.spark.memory import validate_free_memory
from pipelines.tables.delta_tables import Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pyspark.sql import DataFrame

    from pipelines.settings import PipelineSettings, SparkSettings

    spark: SparkSession

# A full run of the real data needs about half of it.
LEAST_FREE_BYTES = 1_000_000_000


class SparkStartError(OntimeError):
    """The Spark session could not be started."""


class DiskSpaceError(OntimeError):
    """There is too little room on the disk to start."""


def __getattr__(name: str) -> SparkSession:
    """Return the session that `from pipelines.spark.session import spark` opens."""
    if name != "spark":
        raise AttributeError(f"module 'pipelines.spark.session' has no attribute '{name}'")
    return _session(load_settings())


def table(name: str, version: int | None = None) -> DataFrame:
    """Return a table by its name, such as `silver_flights`, as it is now or as a commit left it.

    Raises:
        TableMissingError: There is no such table or version.
    """
    settings = load_settings()
    return Tables(_session(settings), settings.tables_root).read(name, version)


def _session(settings: PipelineSettings) -> SparkSession:
    return open_session(settings.spark, home=settings.home)


def taken_session() -> SparkSession | None:
    """Return the session that is there already and is not ours to stop; None if there is none.

    On Databricks there always is one.
    """
    if on_databricks():
        return SparkSession.builder.getOrCreate()
    return SparkSession.getActiveSession()


def open_session(
    settings: SparkSettings, *, home: Path, say: Callable[[str], None] = lambda _: None
) -> SparkSession:
    """Return the session that is there, or a new one that reads and writes Delta tables.

    A new one is classic, or of Spark Connect where `settings.remote` is set. What Java and Spark
    print is redirected to `logs/spark.log` below the home folder, not to the terminal.

    Args:
        settings: How a new session is built.
        home: The folder of everything that Ontime makes.
        say: Called with one line before a long step: the first download of the Delta jars.

    Raises:
        JavaError: Java is missing, too old or trimmed.
        JarsError: The Delta jars are not here and cannot be fetched.
        DiskSpaceError: The disk of the home folder is nearly full.
        LowMemoryError: There is too little memory free.
        SparkStartError: Spark did not start for another reason; names the last line of its log.
    """
    taken = taken_session()
    if taken is not None:
        return taken
    builder = SparkSession.builder.appName("ontime")
    if settings.remote is not None and not settings.remote.startswith("local"):
        return builder.remote(settings.remote).getOrCreate()
    validate_free_space(home)
    validate_free_memory(settings.driver_memory)
    java = java_command()
    validate_java(java)
    jars = delta_jars(
        settings.jars_folder.expanduser(), java=java, ivy_settings=settings.ivy_settings, say=say
    )
    for key, value in _config(settings, home, jars).items():
        builder = builder.config(key, value)
    builder = (
        builder.remote(settings.remote) if settings.remote else builder.master(settings.master)
    )
    log = home / "logs" / "spark.log"
    _let_workers_run_this_python()
    try:
        with _output_into(log), warnings.catch_warnings():
            # Spark Connect sets again, in vain, what its server has been started with.
            warnings.filterwarnings("ignore", message="Failed to set spark")
            return builder.getOrCreate()
    except (PySparkException, OSError) as error:
        raise SparkStartError(start_failure(log, settings)) from error


def validate_free_space(home: Path, least: int = LEAST_FREE_BYTES) -> None:
    """Return if the disk of the home folder has at least `least` bytes free.

    Raises:
        DiskSpaceError: It has fewer, or the folder cannot be made.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(home).free
    except OSError as error:
        raise DiskSpaceError(
            f"The home folder {home} cannot be used: {error.strerror}. Set ONTIME_HOME to a folder "
            "that you may write to."
        ) from error
    if free < least:
        raise DiskSpaceError(
            f"Only {free / 1e6:,.0f} MB are free on the disk of {home}, and {least / 1e6:,.0f} MB "
            "are needed: free some, or set ONTIME_HOME to a folder on another disk."
        )


def _config(settings: SparkSettings, home: Path, jars: list[Path]) -> Mapping[str, str]:
    fixed = {
        "spark.jars": ",".join(str(jar) for jar in jars),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.shuffle.partitions": str(settings.shuffle_partitions),
        "spark.sql.warehouse.dir": str(home / "warehouse"),
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
        "spark.databricks.delta.snapshotPartitions": "2",
        # Java never compiles a method of more bytes: Spark had better split it.
        "spark.sql.codegen.hugeMethodLimit": "8000",
        "spark.driver.memory": settings.driver_memory,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    return fixed | {key: _text(value) for key, value in settings.config.items()}


def _let_workers_run_this_python() -> None:
    """Let Python workers run this interpreter with these packages, whatever is first on PATH.

    Classic and Connect servers both hand their environment on; a setting reaches only one of them.
    """
    packages = str(Path(__file__).resolve().parents[2])
    paths = [packages, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    os.environ["PYSPARK_PYTHON"] = sys.executable


def _text(value: str | float | bool) -> str:  # noqa: FBT001 - any value that YAML can hold
    return str(value).lower() if isinstance(value, bool) else str(value)


@contextmanager
def _output_into(log: Path) -> Iterator[None]:
    """Redirect all output of a process started in the block to a file, until it ends."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
    ours = [(descriptor, os.dup(descriptor)) for descriptor in (1, 2)]
    try:
        for descriptor, _ in ours:
            os.dup2(file, descriptor)
        yield
    finally:
        for descriptor, original in ours:
            os.dup2(original, descriptor)
            os.close(original)
        os.close(file)


def start_failure(log: Path, settings: SparkSettings) -> str:
    """Return in a sentence why Spark did not start, by its log, and what to do."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    text = "\n".join(lines)
    if "reserve enough space" in text or "Cannot allocate memory" in text:
        return (
            f"Spark did not start: this machine cannot give it {settings.driver_memory} of memory. "
            "Close something, or set spark.driver_memory in conf/ lower."
        )
    if "No space left on device" in text:
        return "Spark did not start: the disk of its temporary folder is full. Free some space."
    last = next((line for line in lines if "Exception" in line), lines[-1] if lines else "no log")
    return f"Spark did not start: {last}. The whole log is in {log}."
