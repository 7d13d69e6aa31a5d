"""Batch scores compared with the service's: rows scored one by one, and flights by request."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyspark.sql.functions as F
import pyspark.sql.types as T

from features.contract import feature_contract as contracts
from features.declare import columns as c
from pipelines.batch.batch_predictions import PROBABILITY, inputs_of
from serving.inference.predictor import Predictor
from serving.models.model_loader import load_model
from serving.models.onnx_scorer import OnnxScorer
from serving.models.traffic_split import ServedModel, TrafficSplit
from serving.online.network import read_network
from serving.stores.online.sqlite import SqliteOnlineStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pyspark.sql import DataFrame

    from pipelines.batch.batch_predictions import BatchModel
    from pipelines.runtime.context import RunContext

ONLINE: Final = "online_probability"
SAMPLE: Final = 1_000
_REQUEST: Final = (
    c.CARRIER,
    c.FLIGHT_NUMBER,
    c.ORIGIN,
    c.DESTINATION,
    c.SCHEDULED_DEPARTURE,
    c.SCHEDULED_ARRIVAL,
    c.TAIL_NUMBER,
)
_ALONE: Final = T.StructType(
    [T.StructField(c.FLIGHT_ID, T.StringType()), T.StructField(ONLINE, T.DoubleType())]
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Batch scores beside others of the same flights.

    Attributes:
        flights: How many were compared.
        largest_difference: Between two probabilities of a flight; 0 where none was compared.
    """

    flights: int
    largest_difference: float


def compare_rows(rows: DataFrame, written: DataFrame, model: BatchModel) -> Comparison:
    """Score each row of the feature table alone, as the service does, and compare.

    Args:
        rows: The rows that were scored.
        written: Their predictions, as they were written.
        model: What scored them.
    """
    alone = inputs_of(rows, model.contract).mapInArrow(
        _one_by_one(model.model, model.contract_json), _ALONE
    )
    both = alone.join(written.select(c.FLIGHT_ID, PROBABILITY), on=c.FLIGHT_ID, how="inner")
    difference = F.abs(F.col(ONLINE) - F.col(PROBABILITY))
    found = both.agg(F.count("*"), F.max(difference)).first()
    flights, largest = found or (0, None)
    return Comparison(int(flights), float(largest or 0.0))


def compare_requests(
    context: RunContext, written: DataFrame, model: BatchModel, *, sample: int = SAMPLE
) -> Comparison:
    """Request predictions of flights that the online store covers from the core, and compare.

    Args:
        context: Tables and online store.
        written: The predictions.
        model: What scored them, which also answers the requests.
        sample: The most flights to request.
    """
    database = context.settings.home / "serving.db"
    if not database.is_file():
        return Comparison(0, 0.0)
    flights = context.tables.read("silver_flights")
    last = flights.agg(F.max(c.SCHEDULED_DEPARTURE)).first()
    reach = F.make_dt_interval(F.lit(context.settings.operations.online_days))
    chosen = (
        flights.select(c.FLIGHT_ID, *_REQUEST)
        .join(written, on=c.FLIGHT_ID, how="inner")
        .where(F.col(c.PREDICTION_TIME) >= F.lit(last[0] if last else None) - reach)
        .orderBy(F.xxhash64(c.FLIGHT_ID))
        .limit(sample)
        .collect()
    )
    with closing(SqliteOnlineStore(database)) as online:
        network = read_network(online)
        split = TrafficSplit(_served(context, model))
        core = Predictor(split=lambda: split, network=lambda: network, online=online)
        differences = [abs(_asked(core, row.asDict()) - float(row[PROBABILITY])) for row in chosen]
    return Comparison(len(differences), max(differences, default=0.0))


def _one_by_one(
    model: bytes, contract_json: bytes
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def score(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        contract = contracts.from_json(contract_json)
        scorer = OnnxScorer(model, contract)
        names = [spec.name for spec in contract.features]
        for batch in batches:
            columns = [batch[name].to_pylist() for name in names]
            found = [scorer.score([row])[0] for row in zip(*columns, strict=True)]
            values = [batch[c.FLIGHT_ID], pa.array(found, type=pa.float64())]
            yield pa.RecordBatch.from_arrays(values, _ALONE.names)

    return score


def _served(context: RunContext, model: BatchModel) -> ServedModel:
    loaded = load_model(
        context.artifacts,
        model_name=model.name,
        version=model.version,
        manifest_sha256=model.manifest_sha256,
    )
    return ServedModel(loaded, None, 0)


def _asked(core: Predictor, flight: Mapping[str, Any]) -> float:
    """Return the probability that the core gives the request for a flight."""
    request = {
        "carrier": flight[c.CARRIER],
        "flight_number": flight[c.FLIGHT_NUMBER],
        "origin": flight[c.ORIGIN],
        "destination": flight[c.DESTINATION],
        "scheduled_departure": f"{flight[c.SCHEDULED_DEPARTURE]:%Y-%m-%dT%H:%MZ}",
        "scheduled_arrival": f"{flight[c.SCHEDULED_ARRIVAL]:%Y-%m-%dT%H:%MZ}",
        "tail_number": flight[c.TAIL_NUMBER],
    }
    answer = json.loads(core.predict(json.dumps(request).encode()).answer)
    return float(answer["probability"])
