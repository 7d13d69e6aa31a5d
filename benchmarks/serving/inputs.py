"""The request bodies of each server for the same flights, and the model that peers load."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import joblib
from pyspark.sql import functions as F

from features.declare import columns as c
from pipelines.runtime.context import RunContext
from pipelines.settings import load_settings
from training.registry.registry_backends import CHAMPION
from training.tracking.run_log import load_models

if TYPE_CHECKING:
    from pathlib import Path

FLIGHTS: Final = 1000
_LAST_DAYS: Final = "2013-12-27"
_COPIED: Final = ("tables", "mlartifacts", "mlflow.db", "bench", "logs", "warehouse", "reports")


@dataclass(frozen=True)
class Inputs:
    """The inputs of the benchmark.

    Attributes:
        model: Folder of the pickled pipeline and its features.
        registry: Where MLflow has the version.
        version: The version.
        requests: Flights as Ontime is asked about them.
        rows: The same flights' features, for servers that look nothing up.
    """

    model: Path
    registry: str
    version: str
    requests: list[dict[str, Any]]
    rows: list[dict[str, Any]]


def make_inputs(folder: Path) -> Inputs:
    """Write the champion as peers load it, and return the flights of the last days of the data.

    Raises:
        OntimeError: There is no champion: run the pipeline first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with RunContext(load_settings()) as context:
        version = context.registry.resolve(CHAMPION)
        model, _, contract = load_models(context.tracking, version.run_id)
        joblib.dump(model, folder / "model.joblib")
        kinds = {
            spec.name: "text" if spec.dtype == "string" else "number" for spec in contract.features
        }
        (folder / "features.json").write_text(json.dumps(kinds), encoding="utf-8")
        gold = context.outputs("build_features")
        features = context.tables.read(str(gold["table"]), int(gold["version"]))
        flights = context.tables.read("silver_flights").select(
            c.FLIGHT_ID, c.CARRIER, c.FLIGHT_NUMBER, c.ORIGIN, c.DESTINATION, c.TAIL_NUMBER,
            F.date_format(c.SCHEDULED_DEPARTURE, "yyyy-MM-dd'T'HH:mm'Z'").alias("departs"),
            F.date_format(c.SCHEDULED_ARRIVAL, "yyyy-MM-dd'T'HH:mm'Z'").alias("arrives"),
        )  # fmt: skip
        wanted = features.where(F.col(c.FLIGHT_DATE) >= _LAST_DAYS)
        wanted = wanted.orderBy(c.FLIGHT_ID).limit(FLIGHTS)
        values = [F.col(name).alias(f"feature_{name}") for name in kinds]
        joined = wanted.select(c.FLIGHT_ID, *values).join(flights, on=c.FLIGHT_ID, how="inner")
        found = joined.orderBy(c.FLIGHT_ID).toArrow().to_pylist()
    requests = [_request(row) for row in found]
    rows = [{name: row[f"feature_{name}"] for name in kinds} for row in found]
    return Inputs(folder, context.tracking.store, version.version, requests, rows)


def copied_home(home: Path, target: Path) -> Path:
    """Copy what serving needs of a home, so that the benchmark writes no predictions into it."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(home, target, ignore=shutil.ignore_patterns(*_COPIED))
    return target


def write_bodies(path: Path, bodies: list[dict[str, Any]]) -> Path:
    """Write bodies as lines of JSON, for wrk."""
    path.write_text("".join(f"{json.dumps(body)}\n" for body in bodies), encoding="utf-8")
    return path


def _request(row: dict[str, Any]) -> dict[str, Any]:
    request = {
        "carrier": row[c.CARRIER],
        "flight_number": row[c.FLIGHT_NUMBER],
        "origin": row[c.ORIGIN],
        "destination": row[c.DESTINATION],
        "scheduled_departure": row["departs"],
        "scheduled_arrival": row["arrives"],
    }
    if row[c.TAIL_NUMBER] is not None:
        request["tail_number"] = row[c.TAIL_NUMBER]
    return request
