from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipelines.runtime.stage_records import (
    StageNotRunError,
    StageRecord,
    StageRecords,
    UnreadableRecordError,
)

if TYPE_CHECKING:
    from pathlib import Path

RECORD = StageRecord(
    fingerprint="f" * 64,
    parts={"features.horizon_min": "120"},
    outputs={"gold_hash": "a" * 64, "rows": 3},
    seconds=1.5,
    finished_at="2026-03-01 10:00:00Z",
)


@pytest.fixture
def records(tmp_path: Path) -> StageRecords:
    return StageRecords(tmp_path / "stages")


def test_a_record_is_read_as_it_was_written(records: StageRecords) -> None:
    records.write("train", RECORD)
    assert records.read("train") == RECORD
    assert records.require("train") == RECORD


def test_a_stage_without_a_record_has_not_succeeded(records: StageRecords) -> None:
    assert records.read("train") is None
    with pytest.raises(StageNotRunError, match=r"ontime train"):
        records.require("train")


def test_a_removed_record_is_deleted_and_removing_it_again_is_no_error(
    records: StageRecords,
) -> None:
    records.write("train", RECORD)
    records.remove("train")
    records.remove("train")
    assert records.read("train") is None


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"fingerprint": 1}', b"\xff\xfe"])
def test_a_damaged_record_is_named_with_the_way_out(
    records: StageRecords, tmp_path: Path, body: bytes
) -> None:
    records.write("train", RECORD)
    (tmp_path / "stages" / "train_h120.json").write_bytes(body)
    with pytest.raises(UnreadableRecordError, match=r"train_h120\.json is not readable"):
        records.read("train")


def test_a_write_leaves_nothing_but_the_record(records: StageRecords, tmp_path: Path) -> None:
    records.write("train", RECORD)
    records.write("train", RECORD)
    assert [path.name for path in (tmp_path / "stages").iterdir()] == ["train_h120.json"]


def test_stages_whose_result_is_of_a_feature_table_have_a_record_for_each(
    records: StageRecords, tmp_path: Path
) -> None:
    # Given a horizon with records
    records.write("ingest", RECORD)
    records.write("build_features", RECORD)
    # When the records of another horizon are requested, written and removed
    other = StageRecords(tmp_path / "stages", "h30")
    assert other.read("ingest") == RECORD
    assert other.read("build_features") is None
    other.write("build_features", RECORD)
    other.remove("build_features")
    # Then those of the first are as they were
    assert records.read("build_features") == RECORD
