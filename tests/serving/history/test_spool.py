"""The spool in a folder, with real files and real processes."""

from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from serving.history.record_lines import to_line
from serving.history.spool import FileSpool
from serving.stores.errors import StoreError
from serving.stores.history.protocol import PredictionRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]


def record(number: int, size: int = 2) -> PredictionRecord:
    return PredictionRecord(number, f"p{number}", "f", b"x" * size)


def drained(spool: FileSpool) -> list[PredictionRecord]:
    found: list[PredictionRecord] = []
    while segment := spool.take():
        found += segment.records
        segment.complete()
    return found


def test_what_is_spooled_is_taken_once(tmp_path: Path) -> None:
    # Given a spool with two batches
    spool = FileSpool(tmp_path / "spool")
    assert spool.take() is None
    spool.append([record(1), record(2)])
    spool.append([record(3)])
    assert spool.waiting() == 3
    # Then they are taken in order, and deleted when done
    assert drained(spool) == [record(1), record(2), record(3)]
    assert spool.waiting() == 0
    assert list((tmp_path / "spool").iterdir()) == []


def test_what_is_given_back_is_taken_again(tmp_path: Path) -> None:
    # Given a segment that could not be delivered
    spool = FileSpool(tmp_path)
    spool.append([record(1)])
    segment = spool.take()
    assert segment is not None
    # Then no other process takes it in between
    assert FileSpool(tmp_path).take() is None
    # And it is returned again, before later segments
    segment.release()
    spool.append([record(2)])
    assert drained(spool) == [record(1), record(2)]


def test_a_large_spool_has_segments(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path, segment_bytes=1000)
    for number in range(10):
        spool.append([record(number, size=400)])
    assert len(list(tmp_path.iterdir())) > 3
    assert spool.waiting() == 10
    assert drained(spool) == [record(number, size=400) for number in range(10)]


def test_a_spool_of_another_process_waits_until_it_has_died(tmp_path: Path) -> None:
    # Given a process that writes to the spool, acknowledging each record
    script = (
        "import sys; from pathlib import Path\n"
        "from serving.stores.history.protocol import PredictionRecord\n"
        "from serving.history.spool import FileSpool\n"
        "spool = FileSpool(Path(sys.argv[1]))\n"
        "for number in range(1_000_000):\n"
        "    spool.append([PredictionRecord(number, f'p{number}', 'f', b'xx')])\n"
        "    print(number, flush=True)\n"
    )
    acknowledged = -1
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "0\n"
        # Then its segment is not taken from it
        assert FileSpool(tmp_path).take() is None
        # When it is killed
        killer = threading.Timer(0.3, writer.kill)
        killer.start()
        for line in writer.stdout:
            if line.endswith("\n"):
                acknowledged = int(line)
        killer.join()
    # Then every record that it acknowledged is present, and at most one more
    found = drained(FileSpool(tmp_path))
    assert acknowledged > 0
    assert found[: acknowledged + 1] == [record(number) for number in range(acknowledged + 1)]
    assert len(found) <= acknowledged + 2


def test_a_full_disk_refuses_and_loses_nothing(tmp_path: Path) -> None:
    # Given a disk that takes a part of a write and no more (a limit on the size of a file)
    spool = FileSpool(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    spool.append([record(1, size=500)])
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        with pytest.raises(StoreError, match="free space"):
            spool.append([record(2, size=5_000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    # When there is room again, Then what was acknowledged is present and the rest is not
    spool.append([record(3)])
    assert drained(spool) == [record(1, size=500), record(3)]
    assert list(tmp_path.iterdir()) == []


def test_a_full_spool_refuses_until_it_is_emptied(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path, most_megabytes=1, segment_bytes=300_000)
    spool.check()
    for number in range(3):
        spool.append([record(number, size=230_000)])
    with pytest.raises(StoreError, match=r"is full \(1 MB\): bring the prediction history back"):
        spool.append([record(3, size=230_000)])
    assert len(drained(spool)) == 3
    spool.append([record(3, size=230_000)])
    spool.close()


def test_a_segment_with_damaged_lines_is_renamed(tmp_path: Path) -> None:
    # Given a segment in which a byte has changed
    spool = FileSpool(tmp_path)
    spool.append([record(1), record(2), record(3)])
    spool.close()
    (path,) = tmp_path.iterdir()
    lines = path.read_bytes()
    path.write_bytes(lines.replace(b"p2", b"p9"))
    # Then the others are read, and the file is set aside instead of removed
    segment = FileSpool(tmp_path).take()
    assert segment is not None
    assert (list(segment.records), segment.damaged) == ([record(1), record(3)], 1)
    segment.complete()
    assert [each.suffix for each in tmp_path.iterdir()] == [".damaged"]
    assert FileSpool(tmp_path).take() is None


def test_a_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file")
    with pytest.raises(StoreError, match=r"spool .*permissions"):
        FileSpool(tmp_path / "spool").append([record(1)])


def test_many_threads_append_while_others_take(tmp_path: Path) -> None:
    # Given eight who append and two who take, in two objects as in two processes
    writer, other = FileSpool(tmp_path, segment_bytes=500), FileSpool(tmp_path)
    found: list[PredictionRecord] = []
    finished = threading.Event()

    def take_all(spool: FileSpool) -> None:
        while not finished.is_set():
            found.extend(drained(spool))

    takers = [threading.Thread(target=take_all, args=(spool,)) for spool in (writer, other)]
    for taker in takers:
        taker.start()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: writer.append([record(2 * n), record(2 * n + 1)]), range(100)))
    finished.set()
    for taker in takers:
        taker.join()
    # Then each record was taken once
    found += drained(writer)
    assert sorted(r.requested_at_ms for r in found) == list(range(200))


@contextlib.contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """Let no file of this process grow over a few bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_refused_writes_leave_no_files_and_no_partial_lines(tmp_path: Path) -> None:
    # Given a spool on a full disk / When many writes are refused / Then no file is left
    spool = FileSpool(tmp_path / "spool")
    large = [PredictionRecord(1, "p1", "f", b"a" * 2_000)]
    with full_disk(1_000):
        for _ in range(20):
            with pytest.raises(StoreError, match="cannot be written"):
                spool.append(large)
            with pytest.raises(StoreError, match="cannot be written"):
                spool.check()
    assert list((tmp_path / "spool").iterdir()) == []
    # And a segment with records keeps them, and only them
    spool.append([PredictionRecord(2, "p2", "f", b"b")])
    with full_disk(1_000), pytest.raises(StoreError):
        spool.append(large)
    spool.append([PredictionRecord(3, "p3", "f", b"c")])
    segment = spool.take()
    assert segment is not None
    assert [record.prediction_id for record in segment.records] == ["p2", "p3"]
    assert not segment.damaged
    segment.complete()
    spool.check()
    assert spool.is_empty()


def test_many_segments_are_taken_with_few_listings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a spool of many segments
    (tmp_path / "spool").mkdir()
    for number in range(50):
        line = to_line(PredictionRecord(number, f"p{number}", "f", b"{}"))
        (tmp_path / "spool" / f"{number:020d}-old.spool").write_bytes(line)
    spool, listings = FileSpool(tmp_path / "spool"), 0
    listed = spool._segments

    def counted() -> list[Path]:
        nonlocal listings
        listings += 1
        return listed()

    monkeypatch.setattr(spool, "_segments", counted)
    # When they are taken / Then each comes once, the oldest first, from few listings of the folder
    taken = []
    while segment := spool.take():
        taken += [record.requested_at_ms for record in segment.records]
        segment.complete()
    assert taken == list(range(50))
    assert listings <= 2
