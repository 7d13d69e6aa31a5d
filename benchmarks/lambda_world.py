"""The stores of the function: a released model, online items, a history; and its events.

In the emulated AWS (S3 and DynamoDB of moto's server, over HTTP), or in files as `make run` leaves
them.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import uuid
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from deltalake import DeltaTable

from features.declare import columns as c
from features.online.lookup import keys_of
from serving.models.model_loader import load_model
from serving.models.release_document import read_release
from serving.online.flight_resolver import to_flight
from serving.online.network import NETWORK_KEY, read_network
from serving.schema.requests import parse_prediction
from serving.settings import StoreSettings
from serving.stores.artifacts.local import FolderArtifactStore
from serving.stores.artifacts.s3 import S3ArtifactStore
from serving.stores.definitions import create_tables
from serving.stores.online.sqlite import SqliteOnlineStore
from serving.stores.opening import open_online_store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pipelines.settings import PipelineSettings
    from tests.emulated_aws import EmulatedAws

FLIGHTS: Final = 100


@dataclass(frozen=True, slots=True)
class World:
    """The environment and stores that a function is started with.

    Attributes:
        name: Where its stores are.
        environment: Its environment.
    """

    name: str
    environment: Mapping[str, str]


def bodies(settings: PipelineSettings, *, count: int = FLIGHTS) -> list[bytes]:
    """Return requests for real flights that the online store reaches back to."""
    tables = settings.tables.uri or str(settings.home / "tables")
    table = DeltaTable(f"{tables}/silver_flights")
    names = [c.CARRIER, c.FLIGHT_NUMBER, c.ORIGIN, c.DESTINATION, c.TAIL_NUMBER]
    names += [c.SCHEDULED_DEPARTURE, c.SCHEDULED_ARRIVAL]
    rows = table.to_pyarrow_table(columns=names).sort_by(c.SCHEDULED_DEPARTURE)
    last = rows.slice(max(0, len(rows) - 30 * count)).to_pylist()
    return [json.dumps(_request(row)).encode() for row in last[:: max(1, len(last) // count)]]


def events(requests: Iterable[bytes]) -> list[bytes]:
    """Return the events of API Gateway (HTTP API, payload 2.0) for requests."""
    return [
        json.dumps(
            {
                "version": "2.0",
                "rawPath": "/model/predict",
                "rawQueryString": "",
                "headers": {"content-type": "application/json"},
                "requestContext": {
                    "stage": "$default",
                    "http": {"method": "POST", "path": "/model/predict", "sourceIp": "192.0.2.1"},
                },
                "body": body.decode(),
                "isBase64Encoded": False,
            }
        ).encode()
        for body in requests
    ]


def world_in_files(settings: PipelineSettings, folder: Path) -> World:
    """Return a copy of a home's serving files."""
    shutil.copytree(settings.home / "store", folder / "store")
    for file in settings.home.glob("serving.db*"):
        shutil.copy(file, folder)
    return World("SQLite and files", {"ONTIME_HOME": str(folder)})


def world_in_aws(
    settings: PipelineSettings, aws: EmulatedAws, requests: Sequence[bytes], home: Path
) -> World:
    """Publish a home's release to the emulated AWS, with the items that the requests read.

    Args:
        settings: The home, and the model's name.
        aws: The emulation; its environment is ours while this runs.
        requests: What will be asked for.
        home: An empty folder, the function's own disk.
    """
    prefix = f"ontime-{uuid.uuid4()}"
    aws.client("s3").create_bucket(Bucket=prefix)
    files, bucket = FolderArtifactStore(settings.home / "store"), S3ArtifactStore(prefix)
    for key in ("release.json", *files.list("models/")):
        bucket.create(key, files.get(key).body)
    create_tables(aws.client("dynamodb"), prefix)
    stores = {"history": "dynamodb", "online": "dynamodb", "prefix": prefix, "fallback": "none"}
    options = StoreSettings(online="dynamodb", prefix=prefix)
    open_online_store(options, home).put_many(_items(settings, files, requests))
    serving = {
        "store_uri": f"s3://{prefix}",
        "stores": stores,
        "access": {"required": False},
        "model_name": settings.serving.model_name,
    }
    environment = aws.environment | {
        "ONTIME_HOME": str(home),
        "ONTIME_SERVING": json.dumps(serving),
    }
    return World("emulated AWS", environment)


def _items(
    settings: PipelineSettings, files: FolderArtifactStore, requests: Sequence[bytes]
) -> dict[str, bytes]:
    release = read_release(files)
    assert release is not None
    assert release.document.champion is not None
    contract = load_model(
        files,
        model_name=settings.serving.model_name,
        version=release.document.champion.version,
    ).contract
    with closing(SqliteOnlineStore(settings.home / "serving.db")) as store:
        network = read_network(store)
        keys = {NETWORK_KEY: None}
        for body in requests:
            flight = to_flight(parse_prediction(body), network)
            as_of = flight.scheduled_departure_at - contract.horizon_min
            keys |= dict.fromkeys(keys_of(flight, as_of, contract))
        return store.get_many(keys)


def _request(row: Mapping[str, Any]) -> dict[str, Any]:
    def instant(at: dt.datetime) -> str:
        return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%MZ")

    return {
        "carrier": row[c.CARRIER],
        "flight_number": row[c.FLIGHT_NUMBER],
        "origin": row[c.ORIGIN],
        "destination": row[c.DESTINATION],
        "tail_number": row[c.TAIL_NUMBER],
        "scheduled_departure": instant(row[c.SCHEDULED_DEPARTURE]),
        "scheduled_arrival": instant(row[c.SCHEDULED_ARRIVAL]),
    }
