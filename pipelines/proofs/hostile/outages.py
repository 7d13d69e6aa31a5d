"""An outage is handled as an outage."""

from __future__ import annotations

import contextlib
import http.client
import resource
import signal
import sqlite3
import time
from typing import TYPE_CHECKING, Final

from pipelines.proofs.hostile.running import FLIGHT, require, wait_until
from serving.history.record_lines import to_line
from serving.stores.database import MOST_LOG_BYTES
from serving.stores.history.protocol import PredictionRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.proofs.hostile.running import RunningService
    from pipelines.proofs.hostile.world import World

_REFUSED: Final = 60
_SPOOLED: Final = 5
_OLD_FILES: Final = 600
_QUICK_SECONDS: Final = 2
_FULL_BYTES: Final = 512  # what a file may still have while the disk is full


def a_locked_history_loses_no_prediction(world: World) -> None:
    """While another process locks the history, predictions are answered and spooled, then kept."""
    with world.own_service() as service:
        require(service.predict().status == http.client.OK, "it did not answer before")
        with _locked(service.home):
            for number in range(1, 6):
                answer = service.predict(flight_number=number)
                require(answer.status == http.client.OK, str(answer))
            require(service.get("/ready").status == http.client.OK, "it is not ready")
            service.stop(signal.SIGKILL)


def credentials_that_cannot_be_renewed_lose_no_prediction(world: World) -> None:
    """With a history in AWS whose credentials end, predictions are answered and spooled."""
    folder = world.new_home()
    (folder / "config").write_text(
        f"[default]\ncredential_process = /bin/sh {folder}/credentials.sh\n", encoding="utf-8"
    )
    # The first credentials are about to expire; there are no second ones.
    (folder / "credentials.sh").write_text(
        f"[ -e {folder}/given ] && exit 1\ntouch {folder}/given\n"
        'echo \'{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b", '
        f'"Expiration": "{_in_minutes(1)}"}}\'\n',
        encoding="utf-8",
    )
    aws = {
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with world.own_service({"serving.stores.history": "dynamodb"}, environment=aws) as service:
        for number in range(1, _SPOOLED + 1):
            answer = service.predict(flight_number=number)
            require(answer.status == http.client.OK, str(answer))
        waiting = service.metric("ontime_spool_waiting")
        require(waiting == _SPOOLED, f"{waiting:g} predictions are spooled")
        wait_until(lambda: "could not be renewed" in service.log(), "the cause was not logged")


def a_full_disk_is_reported_and_leaves_no_files(world: World) -> None:
    """While nothing can be written `/ready` says so, and no refused request leaves a file."""
    with world.own_service() as service:
        require(service.predict().status == http.client.OK, "it did not answer before")
        with _full_disk(service):
            statuses = {service.predict(flight_number=n).status for n in range(1, _REFUSED)}
            unavailable = {http.client.SERVICE_UNAVAILABLE}
            require(statuses == unavailable, f"predictions were answered {statuses}")
            ready = service.get("/ready")
            require(ready.status == http.client.SERVICE_UNAVAILABLE, f"/ready: {ready}")
            files = list((service.home / "spool").glob("*"))
            require(len(files) <= 1, f"{len(files)} files are in the spool")
            _require_quick_metrics(service)
        require(service.predict().status == http.client.OK, "it does not answer again")
        require(service.get("/ready").status == http.client.OK, "it is not ready again")


def a_spool_of_many_files_does_not_slow_the_service(world: World) -> None:
    """With 600 files in the spool, metrics and predictions are answered quickly."""
    with world.own_service() as service, _locked(service.home):
        require(service.predict().status == http.client.OK, "it does not answer")
        for number in range(_OLD_FILES):
            line = to_line(PredictionRecord(number, f"old-{number}", "f", b"{}"))
            (service.home / "spool" / f"{number:020d}-old.spool").write_bytes(line)
        _require_quick_metrics(service)
        require(service.metric("ontime_spool_waiting") >= _OLD_FILES, "they are not counted")
        require(service.predict().status == http.client.OK, "it does not answer")


def a_reader_that_never_ends_does_not_let_the_log_grow(world: World) -> None:
    """While another process reads an old state, the log stays bounded and nothing is lost."""
    most = MOST_LOG_BYTES + 8 * 1024**2
    with world.own_service() as service:
        require(service.predict().status == http.client.OK, "it did not answer before")
        log = service.home / "serving.db-wal"
        with contextlib.closing(sqlite3.connect(service.home / "serving.db")) as reader:
            reader.isolation_level = None
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM predictions").fetchall()
            flights = [{**FLIGHT, "flight_number": number} for number in range(1, 501)]
            while log.stat().st_size < MOST_LOG_BYTES:
                answer = service.post("/model/predict/batch", {"flights": flights})
                require(answer.status == http.client.OK, str(answer))
            for number in range(1, 6):
                answer = service.predict(flight_number=number)
                require(answer.status == http.client.OK, str(answer))
            require(log.stat().st_size <= most, f"the log has {log.stat().st_size:,} bytes")
            require(service.metric("ontime_spool_waiting") > 0, "nothing was spooled")
        wait_until(lambda: service.metric("ontime_spool_waiting") == 0, "the spool was not drained")
        require(service.predict().status == http.client.OK, "it does not answer again")


def a_damaged_online_item_costs_features_and_no_answer(world: World) -> None:
    """An item that cannot be read is a missing feature, for everybody who needs it."""
    home = world.new_home()
    with contextlib.closing(sqlite3.connect(home / "serving.db")) as connection:
        connection.execute(
            "UPDATE online_items SET body = x'00' WHERE key LIKE '%@%' OR key LIKE '%#%'"
        )
        connection.commit()
    with world.own_service(home=home) as service:
        for number in range(1, 4):
            answer = service.predict(flight_number=number)
            require(answer.status == http.client.OK, str(answer))


def predictions_without_any_events_are_counted_as_stale(world: World) -> None:
    """Without any online items a prediction is counted as stale."""
    home = world.new_home()
    with contextlib.closing(sqlite3.connect(home / "serving.db")) as connection:
        connection.execute("DELETE FROM online_items WHERE key != 'network'")
        connection.commit()
    with world.own_service(home=home) as service:
        require(service.predict().status == http.client.OK, "it does not answer")
        stale = service.metric("ontime_stale_predictions_total")
        require(stale == 1, f"{stale:g} predictions are counted as stale")


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Hold the write lock of the history."""
    with contextlib.closing(sqlite3.connect(home / "serving.db")) as locking:
        locking.isolation_level = None
        locking.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            locking.execute("ROLLBACK")


@contextlib.contextmanager
def _full_disk(service: RunningService) -> Iterator[None]:
    """Let no file of a service grow over a few bytes."""
    before = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
    limit = (_FULL_BYTES, before[1])
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, limit)
    try:
        yield
    finally:
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, before)


def _require_quick_metrics(service: RunningService) -> None:
    started = time.perf_counter()
    require(service.get("/metrics").status == http.client.OK, "/metrics does not answer")
    seconds = time.perf_counter() - started
    require(seconds < _QUICK_SECONDS, f"/metrics took {seconds:.1f} s")


def _in_minutes(minutes: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60 * minutes))
