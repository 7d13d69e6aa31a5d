"""Files of a run: written over, read back, and missed with a sentence that helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from training.tracking.run_files import RunFileError, has_file, read_file, write_files

if TYPE_CHECKING:
    from training.tracking.tracking_store import Tracking


@pytest.fixture
def run_id(tracking: Tracking) -> str:
    with tracking.open_run("one", tags={}) as made:
        return made


def test_files_are_read_back_and_the_last_one_written_counts(
    tracking: Tracking, run_id: str
) -> None:
    # Given files written twice under the same paths
    write_files(tracking.client, run_id, {"a.txt": b"one", "folder/b.txt": b"two"})
    write_files(tracking.client, run_id, {"folder/b.txt": b"three"})
    # When they are read, Then the last ones are found, and the others are as they were
    assert read_file(tracking.client, run_id, "a.txt") == b"one"
    assert read_file(tracking.client, run_id, "folder/b.txt") == b"three"


def test_whether_a_file_exists_is_reported(tracking: Tracking, run_id: str) -> None:
    write_files(tracking.client, run_id, {"folder/b.txt": b""})
    assert has_file(tracking.client, run_id, "folder/b.txt")
    assert not has_file(tracking.client, run_id, "folder/a.txt")
    assert not has_file(tracking.client, run_id, "a.txt")


def test_a_missing_file_is_named_with_the_way_out(tracking: Tracking, run_id: str) -> None:
    with pytest.raises(RunFileError, match=rf"Run {run_id} has no file a\.txt .*`ontime train"):
        read_file(tracking.client, run_id, "a.txt")
