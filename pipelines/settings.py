"""The whole configuration, composed of each package's own settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from pydantic import BeforeValidator, Field, InstanceOf, PlainSerializer

from features.settings import FeatureSettings
from ontime_base.configuration import ConfError, Settings, load_conf, parse_section
from operations.settings import OperationsSettings
from serving.settings import ServingSettings, parse_serving
from training.settings import TrainingSettings

if TYPE_CHECKING:
    from collections.abc import Mapping


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _parsed(value: object) -> object:
    return parse_serving(value) if isinstance(value, dict) else value


# Structs of msgspec, which a function decodes without pydantic.
Serving = Annotated[
    InstanceOf[ServingSettings],
    BeforeValidator(_parsed),
    PlainSerializer(msgspec.to_builtins, return_type=dict),
]
# One place or several, always passed on as a tuple.
Places = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]


class SparkSettings(Settings):
    """Settings of the local Spark session (an active one, as on Databricks, is taken as it is).

    Attributes:
        remote: A Spark Connect address (`sc://...`), or `local[2]` for a Connect server in this
            process; null: a classic session. `ONTIME_SPARK_REMOTE` overrides it.
        master: Where a classic session runs.
        driver_memory: Memory of the driver, which is also the only worker of a local session.
        shuffle_partitions: Partitions after a shuffle.
        jars_folder: Where the Delta jars are cached.
        ivy_settings: An Ivy settings file that names another repository than Maven Central.
        config: Further Spark settings, by their own names.
    """

    remote: str | None = None
    master: str = "local[*]"
    driver_memory: str = Field(default="4g", pattern=r"^[0-9]+[mg]$")
    shuffle_partitions: int = Field(default=4, ge=1)
    jars_folder: Path = Path("~/.cache/ontime/jars")
    ivy_settings: Path | None = None
    config: dict[str, str | int | float | bool] = Field(default_factory=dict)


class SourceSettings(Settings):
    """Where the source files are: for each table files, folders, globs or URIs.

    `package:<distribution>/<path>` is a file inside an installed Python package, `conf:<path>` one
    in the configuration folder.

    Attributes:
        flights: Flights, as the New York flights data has them.
        weather: Hourly weather observations at the origins.
        planes: Aircraft by tail number.
        airports: Airports with their time zones.
        airlines: Names of the carriers.
    """

    flights: Places
    weather: Places
    planes: Places
    airports: Places
    airlines: Places


class TableSettings(Settings):
    """Where the Delta tables are.

    Attributes:
        uri: Folder or URI below which each table has its folder, or `catalog:<catalog>.<schema>`,
            a schema of Unity Catalog whose tables they are; null: `tables` in the home folder.
        columnar: Whether workers read silver and write the feature table in columns, where the
            tables are on this machine's disk; false: Spark reads and writes everywhere.
    """

    uri: str | None = None
    columnar: bool = True


class PipelineSettings(Settings):
    """The configuration of one environment.

    Attributes:
        environment: `dev`, `staging` or `prod`.
        home: The folder that holds everything Ontime makes.
    """

    environment: str
    home: Path
    spark: SparkSettings
    sources: SourceSettings
    tables: TableSettings
    features: FeatureSettings
    training: TrainingSettings
    serving: Serving
    operations: OperationsSettings

    @property
    def tables_root(self) -> str:
        """Where the tables are: as configured, else in the home folder."""
        return self.tables.uri or str(self.home / "tables")


_SECTIONS: Mapping[str, type[Settings]] = {
    "spark": SparkSettings,
    "sources": SourceSettings,
    "tables": TableSettings,
    "features": FeatureSettings,
    "training": TrainingSettings,
    "operations": OperationsSettings,
}


def load_settings(environment: str | None = None, folder: Path | None = None) -> PipelineSettings:
    """Return the settings of an environment.

    Raises:
        ConfError: A file is missing, or a key is unknown or has a value that is not valid.
    """
    data: dict[str, Any] = load_conf(environment, folder)
    known = {*_SECTIONS, "serving", "home", "environment"}
    for key in data:
        if key not in known:
            names = ", ".join(sorted(known))
            raise ConfError(f"Unknown configuration section '{key}' in conf/: use one of {names}.")
    if remote := os.environ.get("ONTIME_SPARK_REMOTE"):
        data["spark"] = {**(data.get("spark") or {}), "remote": remote}
    parts: dict[str, Any] = {
        name: parse_section(model, data, name) for name, model in _SECTIONS.items()
    }
    parts["serving"] = parse_serving(data.get("serving") or {})
    home = Path(os.environ.get("ONTIME_HOME") or data.get("home") or ".ontime").resolve()
    return PipelineSettings.model_validate(
        {"environment": data["environment"], "home": home, **parts}
    )


def java_command() -> str:
    """Return the Java that Spark starts: the one of `JAVA_HOME`, else the one on PATH."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home, "bin", "java")) if home else "java"
