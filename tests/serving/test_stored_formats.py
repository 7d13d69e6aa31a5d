"""What earlier versions of the service have stored can still be read.

The bytes below were written by version 0.1 of the code. They must never be regenerated: a change
that makes one of these tests fail breaks a running service at its next deployment.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from serving.history.history_fallback import SpooledHistory
from serving.history.spool import FileSpool
from serving.models.model_package import CARD, CONTRACT, MODEL, SELF_TEST, read_model_package
from serving.models.release_document import read_release
from serving.online.network import Network, read_network
from serving.online.online_state import Watermark, read_watermark
from serving.service.idempotency import Idempotency, SavedReply
from serving.stores.artifacts.local import FolderArtifactStore
from serving.stores.history.protocol import PredictionRecord
from serving.stores.history.sqlite import SqlitePredictionHistory
from serving.stores.idempotency.sqlite import SqliteIdempotencyStore
from serving.stores.jobs.protocol import Job
from serving.stores.jobs.sqlite import SqliteJobStore
from serving.stores.online.cache import OnlineCache
from serving.stores.online.sqlite import SqliteOnlineStore
from serving.stores.queue.sqlite import SqliteQueue
from tests.serving.support import a_service, package_files, wait_until

if TYPE_CHECKING:
    from pathlib import Path

SERVING_DB = """
CREATE TABLE predictions (
    requested_at_ms INTEGER NOT NULL,
    prediction_id TEXT NOT NULL,
    flight_id TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (requested_at_ms, prediction_id)
);
CREATE UNIQUE INDEX predictions_by_id ON predictions (prediction_id);
CREATE INDEX predictions_by_flight ON predictions (flight_id, requested_at_ms, prediction_id);
CREATE TABLE online_items (key TEXT PRIMARY KEY, body BLOB NOT NULL, tag TEXT NOT NULL DEFAULT '');
"""
WORK_DB = """
CREATE TABLE jobs (
    job_id TEXT PRIMARY KEY, state TEXT NOT NULL, request BLOB NOT NULL, result BLOB,
    submitted_at_ms INTEGER NOT NULL, claimed_until_ms INTEGER NOT NULL DEFAULT 0,
    expires_at_ms INTEGER NOT NULL
);
CREATE TABLE idempotency_keys (
    key TEXT PRIMARY KEY, body_hash TEXT NOT NULL, claim TEXT NOT NULL,
    claimed_until_ms INTEGER NOT NULL, answer BLOB, expires_at_ms INTEGER NOT NULL
);
CREATE TABLE messages (
    message_id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, body TEXT NOT NULL,
    visible_at REAL NOT NULL, receives INTEGER NOT NULL DEFAULT 0
);
"""
NETWORK = (
    b"\x84\xaatime_zones\x81\xa3JFK\xb0America/New_York"  # pragma: allowlist secret
    b"\xa7origins\x91\xa3JFK\xacdistances_mi"
    b"\x81\xa7JFK-SFO\xcd\n\x1a\xaaearlier_mi\x81\xa7JFK-SFO\x91\x92\x07\xcd\t\xc4"
)
STATE = b"\x82\xa6newest\xce\x01a!}\xabhorizon_minx"
REPLY = b'\x94\xcc\xca\xb0application/json\x91\x92\xc4\x08location\xc4\x02/x\xc4\x07{"a":1}'
SPOOL_LINE = (
    b'2cc8c48a [5,"p5","UA-1-2013010112",'
    b'"eyJwcm9iYWJpbGl0eSI6MC4yNX0="]\n'  # pragma: allowlist secret
)
EVENTS = (
    '{"received_at":1388505000000,"events":[{"event":"flight_departed",'
    '"flight_id":"UA-642-2013123115","at":"2013-12-31T15:30Z","reported_at":null}]}'
)
RELEASE = """{
  "schema": 1,
  "revision": 2,
  "champion": {
    "version": "1",
    "manifest_sha256": "%s"
  },
  "challenger": null,
  "challenger_weight": 0.0,
  "ledger_head": "58d8f38edab0145fbae63ba921617401e3bc747a24889a8924c30842c7ba4dc5",
  "updated_at": "2013-12-31T21:40:31.529Z"
}
"""
RECORD = PredictionRecord(5, "p5", "UA-1-2013010112", b'{"probability":0.25}')
ANSWER = (
    b'{"prediction_id":"p6","flight_id":"UA-642-2013123115","probability":0.25,"late":false,'
    b'"threshold":0.3,"model":{"name":"ontime","version":"1","alias":"champion"},'
    b'"prediction_time":"2013-12-31T13:25:00Z","features_as_of":"2013-12-31T13:25:00Z",'
    b'"ages_min":{"flights":null,"weather":null},"missing":[],'
    b'"requested_at":"2023-11-14T22:13:20.123Z"}'
)


def test_a_serving_database_is_read(tmp_path: Path) -> None:
    # Given a database with a prediction, the network and the watermark
    path = tmp_path / "serving.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(SERVING_DB)
        row = (RECORD.requested_at_ms, RECORD.prediction_id, RECORD.flight_id, RECORD.body)
        connection.execute("INSERT INTO predictions VALUES (?, ?, ?, ?)", row)
        items = [("network", NETWORK, "d40db6bbc7d528b4"), ("state", STATE, "558be1b9f84a5a9d")]
        connection.executemany("INSERT INTO online_items VALUES (?, ?, ?)", items)
    # Then each is read
    with closing(SqlitePredictionHistory(path)) as history:
        assert history.page(limit=5).records == [RECORD]
    with closing(SqliteOnlineStore(path)) as online, closing(OnlineCache(online, path)) as cache:
        assert read_network(cache) == Network(
            time_zones={"JFK": "America/New_York"},
            origins=["JFK"],
            distances_mi={"JFK-SFO": 2586},
            earlier_mi={"JFK-SFO": [(7, 2500)]},
        )
        assert read_watermark(online) == Watermark(23142781, 120)


def test_an_online_store_from_before_the_tags_is_migrated(tmp_path: Path) -> None:
    path = tmp_path / "serving.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE online_items (key TEXT PRIMARY KEY, body BLOB NOT NULL)")
        connection.execute("INSERT INTO online_items VALUES ('a', x'01')")
    with closing(SqliteOnlineStore(path)) as online:
        assert online.get_many(["a"]) == {"a": b"\x01"}
        assert online.replace_many({"a": (b"\x02", online.read_many(["a"])["a"].tag)}) == set()


def test_a_work_database_is_read(tmp_path: Path) -> None:
    # Given a database with a finished job, an idempotency key with its reply, and queued events
    path = tmp_path / "work.db"
    body_hash = hashlib.sha256(b"content").hexdigest()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(WORK_DB)
        connection.execute("INSERT INTO jobs VALUES ('j', 'done', x'7b7d', x'5b5d', 1, 2, 3)")
        key = ("anonymous|/model/predict|k1", body_hash, "c", 1, REPLY, 9_000)
        connection.execute("INSERT INTO idempotency_keys VALUES (?, ?, ?, ?, ?, ?)", key)
        message = "INSERT INTO messages (queue, body, visible_at) VALUES ('events', ?, 0)"
        connection.execute(message, (EVENTS,))
    # Then each is read
    with closing(SqliteJobStore(path)) as jobs:
        assert jobs.get("j") == Job("j", "done", b"{}", b"[]", 1, 3)
    with closing(SqliteIdempotencyStore(path)) as store:
        keys = Idempotency(store, hours=1, clock=lambda: 100)
        found = keys.begin("k1", scope="anonymous|/model/predict", content=b"content")
        assert found == SavedReply(202, "application/json", [(b"location", b"/x")], b'{"a":1}')
    with closing(SqliteQueue(path, "events")) as queue:
        assert [message.body for message in queue.receive()] == [EVENTS]


def test_answers_from_before_there_were_warnings_are_read(home: Path) -> None:
    # Given a prediction in the history and the result of a job, neither with warnings
    history = SqlitePredictionHistory(home / "serving.db")
    history.append([PredictionRecord(5, "p6", "UA-642-2013123115", ANSWER)])
    history.close()
    with closing(SqliteJobStore(home / "work.db")) as jobs:
        jobs.submit("p6", b"{}", at_ms=1, expires_at_ms=2**50)
        jobs.claim("p6", at_ms=1, until_ms=2)
        jobs.complete("p6", ANSWER)
    # Then a page has the one as it was stored, and the other is answered without warnings
    service = a_service(home)
    (entry,) = json.loads(service.history_page({}))["items"]
    assert entry == json.loads(ANSWER)
    prediction = service.jobs.find("p6").prediction
    assert prediction is not None
    assert (prediction.prediction_id, prediction.warnings) == ("p6", ())


def test_queued_events_are_applied(home: Path) -> None:
    service = a_service(home)
    result = service.events.apply([EVENTS])
    assert (result.applied, result.dead) == (1, [])


def test_a_spool_is_drained(tmp_path: Path) -> None:
    # Given a segment that an earlier process has left
    spool = tmp_path / "spool"
    spool.mkdir()
    (spool / "00000000000000000001-abcdef01.spool").write_bytes(SPOOL_LINE)
    # When a service starts, Then its record is moved to the history
    inner = SqlitePredictionHistory(tmp_path / "serving.db")
    history = SpooledHistory(inner, FileSpool(spool))
    wait_until(lambda: history.statistics().drained == 1)
    assert history.page(limit=5).records == [RECORD]
    history.close()


def test_a_release_and_its_model_package_are_served(home: Path) -> None:
    # Given a package and a release document as the publish stage wrote them
    files = package_files(0.4)
    manifest = {
        "model_name": "ontime",
        "version": "1",
        "run_id": "568ed892d42a41bd809cc74ea7a498c5",
        "created_at": "2013-12-31T21:40:19.193Z",
        "files": {
            name: {"sha256": hashlib.sha256(files[name]).hexdigest(), "bytes": len(files[name])}
            for name in (MODEL, CONTRACT, CARD, SELF_TEST)
        },
    }
    body = json.dumps(manifest, indent=2).encode() + b"\n"
    folder = home / "store/models/ontime/1"
    for name, content in {**files, "manifest.json": body}.items():
        (folder / name).write_bytes(content)
    (home / "store/release.json").write_text(RELEASE % hashlib.sha256(body).hexdigest())
    # Then they are read, and the version answers
    store = FolderArtifactStore(home / "store")
    stored = read_release(store)
    assert stored is not None
    assert stored.document.revision == 2
    assert read_model_package(store, model_name="ontime", version="1").files == files
    model = json.loads(a_service(home).model())
    assert (model["version"], model["alias"], model["revision"]) == ("1", "champion", 2)
