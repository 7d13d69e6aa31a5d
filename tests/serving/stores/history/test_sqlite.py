"""The contract of every prediction history, and what is SQLite's own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.stores.definitions import PREDICTIONS
from serving.stores.errors import InvalidCursorError, StoreError
from serving.stores.history.aws import DynamoPredictionHistory
from serving.stores.history.protocol import PredictionHistory, PredictionRecord
from serving.stores.history.sqlite import SqlitePredictionHistory

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[4]


def record(at: int, name: str = "", flight: str = "UA-1-2013010110") -> PredictionRecord:
    return PredictionRecord(at, name or f"p{at}", flight, f'{{"at":{at}}}'.encode())


def all_pages(
    history: PredictionHistory, limit: int, flight_id: str | None = None, **times: int
) -> list[PredictionRecord]:
    found: list[PredictionRecord] = []
    cursor = None
    while True:
        page = history.page(limit=limit, cursor=cursor, flight_id=flight_id, **times)
        found += page.records
        cursor = page.next_cursor
        if cursor is None:
            return found
        assert len(page.records) == limit


@pytest.fixture(params=["sqlite", pytest.param("dynamodb", marks=pytest.mark.aws)])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PredictionHistory]:
    if request.param == "dynamodb":
        table = request.getfixturevalue("table")(PREDICTIONS)
        yield DynamoPredictionHistory(table, retention_days=90)
        return
    opened = SqlitePredictionHistory(tmp_path / "serving.db")
    yield opened
    opened.close()


def test_an_empty_history_is_an_empty_page(history: PredictionHistory) -> None:
    page = history.page(limit=10)
    assert page.records == []
    assert page.next_cursor is None


def test_newest_come_first_whatever_the_order_of_arrival(history: PredictionHistory) -> None:
    # Given records that arrive out of order, two of them in the same millisecond
    records = [record(2, "c"), record(3, "a"), record(1, "d"), record(2, "b")]
    history.append(records[:2])
    history.append(records[2:])
    # Then the newest is first, and equal times are in the order of the ids
    assert [(r.requested_at_ms, r.prediction_id) for r in history.page(limit=10).records] == [
        (3, "a"),
        (2, "c"),
        (2, "b"),
        (1, "d"),
    ]
    assert history.page(limit=1).records == [records[1]]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_pages_hold_every_record_once(history: PredictionHistory, limit: int) -> None:
    # Given 21 records, of which seven at a time share their millisecond
    records = [record(at % 3, f"p{at:02d}") for at in range(21)]
    history.append(records)
    # Then the pages hold each once, newest first
    expected = sorted(records, key=lambda r: (r.requested_at_ms, r.prediction_id), reverse=True)
    assert all_pages(history, limit) == expected


def test_new_records_do_not_shift_older_pages(history: PredictionHistory) -> None:
    # Given the first page
    history.append([record(at) for at in range(6)])
    first = history.page(limit=3)
    # When newer ones arrive
    history.append([record(at) for at in range(6, 12)])
    # Then the next page continues where the first ended
    second = history.page(limit=3, cursor=first.next_cursor)
    assert [r.requested_at_ms for r in [*first.records, *second.records]] == [5, 4, 3, 2, 1, 0]


def test_one_flight_is_paged_alone(history: PredictionHistory) -> None:
    # Given predictions of two flights in turn
    history.append([record(at, f"p{at}", flight="AB"[at % 2]) for at in range(9)])
    # Then the pages of one hold only its own
    assert [r.requested_at_ms for r in all_pages(history, 2, "A")] == [8, 6, 4, 2, 0]
    assert all_pages(history, 2, "C") == []


def test_a_record_appended_again_changes_nothing(history: PredictionHistory) -> None:
    # Given a record, When it is appended again (a retry), Then it is present once
    history.append([record(1)])
    history.append([record(1), record(2)])
    assert [r.requested_at_ms for r in all_pages(history, 5)] == [2, 1]


def test_one_prediction_is_found_by_its_id(history: PredictionHistory) -> None:
    history.append([record(1, "a"), record(2, "b")])
    assert history.get("a") == record(1, "a")
    assert history.get("c") is None


@pytest.mark.parametrize("flight", [None, "A"])
def test_a_range_of_time_holds_its_start_and_not_its_end(
    history: PredictionHistory, flight: str | None
) -> None:
    # Given predictions from three days, two in each instant
    day = 86_400_000
    instants = [0, 5, day - 1, day, day + 5, 2 * day]
    history.append([record(at, f"{at}{flight}", flight) for at in instants for flight in "AB"])
    # Then a range holds what was requested from its start until before its end
    for since, until in ((5, day), (day, 3 * day), (0, 5), (day - 1, day + 1), (3, 3), (9, 4)):
        found = all_pages(history, 2, flight, since_ms=since, until_ms=until)
        expected = [at for at in instants if since <= at < until for _ in (flight or "AB")]
        assert [r.requested_at_ms for r in found] == sorted(expected, reverse=True)
    assert len(all_pages(history, 100, flight, since_ms=day)) == 3 * len(flight or "AB")
    assert len(all_pages(history, 100, flight, until_ms=day)) == 3 * len(flight or "AB")


@pytest.mark.parametrize("cursor", ["", "x", "####", "WzFd", "bnVsbA", "WyItIiwieCJd", "é" * 300])
def test_a_foreign_cursor_is_refused(history: PredictionHistory, cursor: str) -> None:
    with pytest.raises(InvalidCursorError, match="not a cursor"):
        history.page(limit=1, cursor=cursor)


def test_a_position_out_of_range_is_refused(history: PredictionHistory) -> None:
    for text in ("WzkyMjMzNzIwMzY4NTQ3NzU4MDgsIngiXQ", "Wy0xLCJ4Il0"):  # [2^63,"x"] [-1,"x"]
        with pytest.raises(InvalidCursorError):
            history.page(limit=1, cursor=text)


def test_many_threads_append_and_read(history: PredictionHistory) -> None:
    # Given eight threads that append while others read
    def append(number: int) -> None:
        history.append([record(number * 10 + n, f"p{number}-{n}") for n in range(10)])
        history.page(limit=5)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, range(30)))
    # Then all are present
    assert len(all_pages(history, 100)) == 300


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PredictionHistory]:
    opened = SqlitePredictionHistory(tmp_path_factory.mktemp("history") / "serving.db")
    yield opened
    opened.close()


@given(text=st.text(max_size=60))
def test_any_cursor_is_a_page_or_refused(empty: PredictionHistory, text: str) -> None:
    # Given any text at all, Then the answer is a page or the error for it
    with contextlib.suppress(InvalidCursorError):
        assert empty.page(limit=1, cursor=text).records == []


def test_sqlite_records_survive_a_restart(tmp_path: Path) -> None:
    # Given a file that was written and closed
    first = SqlitePredictionHistory(tmp_path / "deep" / "serving.db")
    first.append([record(1)])
    first.close()
    # Then another object finds the record
    second = SqlitePredictionHistory(tmp_path / "deep" / "serving.db")
    assert second.page(limit=5).records == [record(1)]
    second.close()


WRITER = """
import sys
from pathlib import Path
from serving.stores.history.protocol import PredictionRecord
from serving.stores.history.sqlite import SqlitePredictionHistory
history = SqlitePredictionHistory(Path(sys.argv[1]))
for at in range(1_000_000):
    history.append([PredictionRecord(at, str(at), "f", b"{}")])
    print(at, flush=True)
"""


def test_sqlite_acknowledged_records_survive_a_kill(tmp_path: Path) -> None:
    # Given a process that appends and acknowledges
    path = tmp_path / "serving.db"
    command = [sys.executable, "-c", WRITER, str(path)]
    acknowledged = -1
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        # When it is killed in the middle
        killer = threading.Timer(0.3, writer.kill)
        for line in writer.stdout:
            if acknowledged < 0:
                killer.start()
            if line.endswith("\n"):
                acknowledged = int(line)
        killer.join()
    # Then every acknowledged record is present, and at most one that was not
    history = SqlitePredictionHistory(path)
    found = sorted(r.requested_at_ms for r in all_pages(history, 1000))
    history.close()
    assert acknowledged > 0
    assert found[: acknowledged + 1] == list(range(acknowledged + 1))
    assert len(found) <= acknowledged + 2


def test_sqlite_forgets_what_is_old(tmp_path: Path) -> None:
    # Given more old records than one call removes
    history = SqlitePredictionHistory(tmp_path / "serving.db")
    history.append([record(at) for at in range(5_000)])
    # When those before an instant are deleted, Then the others are present
    assert history.delete_before(before_ms=4_990) == 4_990
    assert [r.requested_at_ms for r in all_pages(history, 100)] == list(range(4_999, 4_989, -1))
    assert history.delete_before(before_ms=4_990) == 0
    history.close()


def test_sqlite_failure_stores_nothing_and_names_the_fix(tmp_path: Path) -> None:
    # Given a history whose second record cannot be stored
    history = SqlitePredictionHistory(tmp_path / "serving.db")
    bad = PredictionRecord(2, "p", "f", None)  # type: ignore[arg-type] # on purpose
    # Then neither is, and the error names the file
    with pytest.raises(StoreError, match=r"serving\.db"):
        history.append([record(1), bad])
    assert history.page(limit=5).records == []
    # And the next append works
    history.append([record(1)])
    assert len(history.page(limit=5).records) == 1
    history.close()
