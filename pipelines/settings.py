"""The whole configuration, composed of each package's own settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.settings import ConfError, FeatureSettings, Settings, load_conf, section
from operations.settings import OperationsSettings
from serving.settings import ServingSettings
from training.settings import TrainingSettings

if TYPE_CHECKING:
    from collections.abc import Mapping


class SparkSettings(Settings):
    """Settings of the local Spark session (on Databricks the session is taken, not built)."""


class SourceSettings(Settings):
    """Where the source files are."""


class TableSettings(Settings):
    """Where the Delta tables are."""


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
    serving: ServingSettings
    operations: OperationsSettings


_SECTIONS: Mapping[str, type[Settings]] = {
    "spark": SparkSettings,
    "sources": SourceSettings,
    "tables": TableSettings,
    "features": FeatureSettings,
    "training": TrainingSettings,
    "serving": ServingSettings,
    "operations": OperationsSettings,
}


def load_settings(environment: str | None = None, folder: Path | None = None) -> PipelineSettings:
    """Return the settings of an environment.

    Raises:
        ConfError: A file is missing, or a key is unknown or has a value that is not valid.
    """
    data: dict[str, Any] = load_conf(environment, folder)
    known = {*_SECTIONS, "home", "environment"}
    for key in data:
        if key not in known:
            message = f"Unknown configuration section '{key}' in conf/: use one of {', '.join(sorted(known))}."
            raise ConfError(message)
    parts = {name: section(model, data, name) for name, model in _SECTIONS.items()}
    home = Path(os.environ.get("ONTIME_HOME") or data.get("home") or ".ontime").resolve()
    return PipelineSettings.model_validate({"environment": data["environment"], "home": home, **parts})
