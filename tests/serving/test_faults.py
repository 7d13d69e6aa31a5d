"""Faults under load: a history that is locked, a full disk, a broken release, a clock that jumps.

Real processes, real files. A full disk is a limit on the size of files that the process may write.
"""

from __future__ import annotations

import json
import resource
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import httpx
import pytest

from serving.models.release_document import ReleasedVersion, read_release
from serving.service.prediction_service import open_service
from serving.stores.artifacts.local import FolderArtifactStore
from serving.stores.history.sqlite import SqlitePredictionHistory
from tests.serving.support import (
    SETTINGS,
    body_of,
    publish,
    release,
    running_server,
    serving_process,
    wait_until,
)

if TYPE_CHECKING:
    from pathlib import Path

JSON = {"content-type": "application/json"}
ASKED = 0.999
FULL_BYTES = 300_000  # less than the history has taken, more than what then waits
DAY_MS = 86_400_000


@dataclass
class Load:
    """Clients that send requests without pause, and the answers that they got."""

    url: str
    clients: int = 3
    acknowledged: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send_requests) for _ in range(self.clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send_requests(self) -> None:
        with httpx.Client(base_url=self.url, headers=JSON, timeout=20) as client:
            while not self._stop.is_set():
                answer = client.post("/model/predict", content=body_of())
                body = answer.json()
                if answer.status_code == 200 and abs(body["probability"] - 0.25) < 1e-3:
                    self.acknowledged.append(body["prediction_id"])
                else:
                    self.wrong.append(answer.text)

    def wait_for_answers(self, number: int = 100) -> None:
        """Return once so many more were answered."""
        enough = len(self.acknowledged) + number
        wait_until(lambda: len(self.acknowledged) >= enough, seconds=60)

    def share_correct(self) -> float:
        """Return which part of the answers was right."""
        return len(self.acknowledged) / (len(self.acknowledged) + len(self.wrong))


def stored_in(home: Path) -> list[str]:
    history = SqlitePredictionHistory(home / "serving.db")
    page = history.page(limit=1_000_000)
    history.close()
    return [record.prediction_id for record in page.records]


@pytest.mark.slow
def test_answers_stay_right_and_none_is_lost_whatever_fails(home: Path) -> None:
    # Given a server under load
    with serving_process(home) as (process, url), Load(url) as load:
        load.wait_for_answers()
        # When its history is locked by another process for longer than its time-out
        lock = sqlite3.connect(home / "serving.db", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        load.wait_for_answers()
        time.sleep(1)
        load.wait_for_answers()
        lock.execute("ROLLBACK")
        lock.close()
        load.wait_for_answers()
        # And a version is released whose model was cut short
        store = FolderArtifactStore(home / "store")
        stored = read_release(store)
        assert stored is not None
        broken = ReleasedVersion("2", publish(store, "2", 0.9))
        path = home / "store/models/ontime/2/model.onnx"
        path.write_bytes(path.read_bytes()[:100])
        release(store, broken, stored.document.champion, weight=0.5)
        wait_until(lambda: httpx.get(f"{url}/model").json()["refusal"] is not None)
        load.wait_for_answers()
        # And there is no space for more history, but still for what waits
        unlimited = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (FULL_BYTES, unlimited[1]))
        load.wait_for_answers(20)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, unlimited)
        load.wait_for_answers()
        metrics = httpx.get(f"{url}/metrics").text
    # Then at least 99.9 % of the answers were right
    assert load.share_correct() >= ASKED, load.wrong[:3]
    assert "ontime_release_refused 1" in metrics
    # And the history was down twice: locked, and full
    down = [
        line for line in (home / "serve.log").read_text().splitlines() if "history_down" in line
    ]
    assert any("locked" in line for line in down)
    assert any("locked" not in line for line in down)
    # And every one is in the history once, after the queued ones were delivered
    with serving_process(home) as (_, url):
        wait_until(lambda: "ontime_spool_waiting 0" in httpx.get(f"{url}/metrics").text)
    recorded = stored_in(home)
    assert len(recorded) == len(set(recorded))
    assert set(load.acknowledged) <= set(recorded)


@pytest.mark.slow
def test_a_clock_that_jumps_changes_no_answer(home: Path) -> None:
    # Given a server under load whose clock is ours
    jump = [0]
    service = open_service(SETTINGS, home, clock=lambda: time.time_ns() // 1_000_000 + jump[0])
    service.refresh()
    with running_server(service) as url, Load(url) as load:
        load.wait_for_answers()
        # When it jumps a day back, a year on, and home again
        for by in (-DAY_MS, 365 * DAY_MS, 0):
            jump[0] = by
            load.wait_for_answers()
    # Then all answers were right, and each is in the history once
    assert load.share_correct() == 1, load.wrong[:3]
    recorded = stored_in(home)
    assert sorted(recorded) == sorted(set(load.acknowledged))


@pytest.mark.slow
def test_an_online_store_that_fails_costs_features_and_no_answer(home: Path) -> None:
    # Given a server under load whose online items are then dropped under it
    service = open_service(SETTINGS, home)
    service.refresh()
    with running_server(service) as url, Load(url) as load:
        load.wait_for_answers()
        with sqlite3.connect(home / "serving.db") as connection:
            connection.execute("ALTER TABLE online_items RENAME TO taken_away")
        connection.close()
        load.wait_for_answers()
        text = httpx.get(f"{url}/metrics").text
    # Then every answer was given, and what was missing is counted
    assert load.share_correct() >= ASKED, load.wrong[:3]
    assert "ontime_missing_features_total" in text
    for record in service.history.page(limit=1).records:
        assert json.loads(record.body)["missing"]
