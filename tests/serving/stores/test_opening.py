"""The stores that the configuration names."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from serving.settings import StoreSettings
from serving.stores.definitions import create_queues, create_tables
from serving.stores.history.protocol import PredictionRecord
from serving.stores.history.sqlite import SqlitePredictionHistory
from serving.stores.opening import (
    open_history,
    open_job_stores,
    open_online_store,
    open_queue,
)

if TYPE_CHECKING:
    from tests.emulated_aws import EmulatedAws

ROOT = Path(__file__).resolve().parents[3]


def use_every_store(options: StoreSettings, home: Path) -> list[Any]:
    """Write to and read from each, and return them."""
    history, online = open_history(options, home), open_online_store(options, home)
    work = open_job_stores(options, home)
    queue = open_queue(options, home, "events")
    record = PredictionRecord(1, "p", "f", b"{}")
    history.append([record])
    assert history.page(limit=1).records == [record]
    online.put_many({"a": b"1"})
    assert online.get_many(["a"]) == {"a": b"1"}
    work.jobs.submit("j", b"{}", at_ms=1, expires_at_ms=2)
    assert work.jobs.get("j")
    assert work.keys.begin("k", body_hash="h", at_ms=1, until_ms=2, expires_at_ms=3).claim
    queue.send(["a"])
    assert [message.body for message in queue.receive()] == ["a"]
    return [history, online, work.jobs, work.keys, queue]


def test_by_default_all_are_files_at_home(tmp_path: Path) -> None:
    stores = use_every_store(StoreSettings(), tmp_path)
    for store in stores:
        store.close()
    assert {path.name for path in tmp_path.glob("*.db")} == {"serving.db", "work.db"}


@pytest.mark.aws
def test_all_may_be_in_aws(aws: EmulatedAws, tmp_path: Path) -> None:
    # Given tables and queues of a prefix
    prefix = f"ontime-{uuid.uuid4().hex[:8]}"
    create_tables(aws.client("dynamodb"), prefix)
    create_queues(aws.client("sqs"), prefix)
    settings = StoreSettings(
        history="dynamodb", online="dynamodb", jobs="dynamodb", queue="sqs", prefix=prefix
    )
    # Then they are used, and nothing at home is
    use_every_store(settings, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_stores_in_aws_cost_no_boto3() -> None:
    # Given a process that opens stores in AWS as a function does, Then boto3 was not imported
    script = (
        "import sys; from pathlib import Path; from serving.settings import StoreSettings;"
        "from serving.stores.opening import *;"
        "o = StoreSettings(history='dynamodb', online='dynamodb', jobs='dynamodb', queue='sqs');"
        "[f(o, Path('x')) for f in (open_history, open_online_store, open_job_stores)];"
        "open_queue(o, Path('x'), 'jobs');"
        "assert not {'boto3', 'botocore'} & set(sys.modules)"
    )
    environment = {"AWS_REGION": "r", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, check=True)


def test_a_locked_history_times_out_soon(tmp_path: Path) -> None:
    history = open_history(StoreSettings(), tmp_path)
    assert isinstance(history, SqlitePredictionHistory)
    assert history._writer.execute("PRAGMA busy_timeout").fetchone() == (500,)
    history.close()
