"""The server as a process: killed, stopped, and started again."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from typing import TYPE_CHECKING

import httpx

from serving.stores.history.sqlite import SqlitePredictionHistory
from tests.serving.support import body_of, serving_process

if TYPE_CHECKING:
    from pathlib import Path

JSON = {"content-type": "application/json"}


def ask_until_it_fails(url: str, acknowledged: list[str]) -> None:
    with httpx.Client(base_url=url, headers=JSON) as client:
        while True:
            try:
                answer = client.post("/model/predict", content=body_of())
            except httpx.HTTPError:
                return
            assert answer.status_code == 200
            acknowledged.append(answer.json()["prediction_id"])


def kept_in(home: Path) -> list[str]:
    history = SqlitePredictionHistory(home / "serving.db")
    page = history.page(limit=100_000)
    history.close()
    return [record.prediction_id for record in page.records]


def test_what_was_acknowledged_survives_kill(home: Path) -> None:
    # Given clients that predict without pause
    acknowledged: list[str] = []
    with serving_process(home) as (process, url):
        clients = [
            threading.Thread(target=ask_until_it_fails, args=(url, acknowledged)) for _ in range(4)
        ]
        for client in clients:
            client.start()
        while len(acknowledged) < 200:
            time.sleep(0.01)
        # When the server is killed in the middle of them
        process.kill()
        for client in clients:
            client.join()
    # Then every acknowledged prediction is in the history, once
    kept = kept_in(home)
    assert set(acknowledged) <= set(kept)
    assert len(kept) == len(set(kept)) <= len(acknowledged) + 4
    # And a new server shows them
    with serving_process(home) as (_, url):
        page = httpx.get(f"{url}/model/history", params={"limit": 50}).json()
    assert [item["prediction_id"] for item in page["items"]] == kept[:50]


def test_what_waited_in_the_spool_survives_kill(home: Path) -> None:
    # Given a history that is locked, and clients that predict without pause
    acknowledged: list[str] = []
    lock = sqlite3.connect(home / "serving.db", isolation_level=None)
    with serving_process(home) as (process, url):
        lock.execute("BEGIN IMMEDIATE")
        clients = [
            threading.Thread(target=ask_until_it_fails, args=(url, acknowledged)) for _ in range(4)
        ]
        for client in clients:
            client.start()
        while len(acknowledged) < 200:
            time.sleep(0.01)
        # When the server is killed in the middle of them
        process.kill()
        for client in clients:
            client.join()
    lock.execute("ROLLBACK")
    lock.close()
    assert kept_in(home) == []
    # Then the next server hands them over: every acknowledged prediction is there, once
    with serving_process(home):
        deadline = time.monotonic() + 20
        while list((home / "spool").iterdir()):
            assert time.monotonic() < deadline, "the spool is not empty"
            time.sleep(0.05)
    kept = kept_in(home)
    assert set(acknowledged) <= set(kept)
    assert len(kept) == len(set(kept)) <= len(acknowledged) + 4


def test_it_stops_when_told_and_answers_what_is_under_way(home: Path) -> None:
    # Given clients that predict without pause
    acknowledged: list[str] = []
    with serving_process(home) as (process, url):
        client = threading.Thread(target=ask_until_it_fails, args=(url, acknowledged))
        client.start()
        while len(acknowledged) < 20:
            time.sleep(0.01)
        # When it is told to stop
        process.send_signal(signal.SIGTERM)
        # Then it ends soon, and what it kept is what it acknowledged
        process.wait(15)
        client.join()
    assert sorted(kept_in(home)) == sorted(acknowledged)
