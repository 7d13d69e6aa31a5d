"""Instants and ids."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from serving.schema.clock import iso_minute, iso_ms, minutes, new_prediction_id, now_ms


def test_minutes_are_written_and_read() -> None:
    # Given a minute of 2013, Then it is written as UTC and read back
    at = minutes(dt.datetime(2013, 12, 31, 13, 25, tzinfo=dt.UTC))
    assert iso_minute(at) == "2013-12-31T13:25:00Z"
    assert minutes(dt.datetime.fromisoformat(iso_minute(at))) == at


def test_minutes_round_down() -> None:
    # Given instants with seconds, before and after the epoch, Then what counts is the minute begun
    assert minutes(dt.datetime(1970, 1, 1, 0, 1, 59, 999, tzinfo=dt.UTC)) == 1
    assert minutes(dt.datetime(1969, 12, 31, 23, 59, 30, tzinfo=dt.UTC)) == -1


@pytest.mark.parametrize(
    ("at", "text"),
    [(0, "1970-01-01T00:00:00.000Z"), (1388496300125, "2013-12-31T13:25:00.125Z")],
)
def test_milliseconds_are_written(at: int, text: str) -> None:
    assert iso_ms(at) == text


def test_now_is_now() -> None:
    assert abs(now_ms() - dt.datetime.now(tz=dt.UTC).timestamp() * 1000) < 5_000


def test_ids_are_unique_and_contain_their_creation_time() -> None:
    # Given many new ids
    before = now_ms()
    ids = [new_prediction_id() for _ in range(1000)]
    # Then they are UUIDs of version 7, each once, with the time in front
    assert len(set(ids)) == 1000
    for text in ids:
        made = uuid.UUID(text)
        assert (made.version, made.variant) == (7, uuid.RFC_4122)
        assert before <= made.int >> 80 <= now_ms()
