"""The contract of every idempotency store, and what is SQLite's own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from serving.stores.definitions import IDEMPOTENCY
from serving.stores.errors import InProgressError, KeyReusedError
from serving.stores.idempotency.aws import DynamoIdempotencyStore
from serving.stores.idempotency.sqlite import SqliteIdempotencyStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from serving.stores.idempotency.protocol import Begun, IdempotencyStore

NOW = 2_000_000_000_000
LEASE = 10_000
KEPT = 3_600_000


@pytest.fixture(params=["sqlite", pytest.param("dynamodb", marks=pytest.mark.aws)])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[IdempotencyStore]:
    if request.param == "dynamodb":
        yield DynamoIdempotencyStore(request.getfixturevalue("table")(IDEMPOTENCY))
        return
    opened = SqliteIdempotencyStore(tmp_path / "work.db")
    yield opened
    opened.close()


def begin(keys: IdempotencyStore, body_hash: str = "h", at: int = NOW) -> Begun:
    return keys.begin(
        "k", body_hash=body_hash, at_ms=at, until_ms=at + LEASE, expires_at_ms=at + KEPT
    )


def test_the_answer_is_given_again(keys: IdempotencyStore) -> None:
    # Given a request that was answered
    begun = begin(keys)
    assert begun.answer is None
    assert keys.finish("k", begun.claim, b"\x00answer")
    # When it is repeated, Then its answer is returned
    assert begin(keys, at=NOW + 1).answer == b"\x00answer"


def test_a_key_belongs_to_one_request(keys: IdempotencyStore) -> None:
    # Given a key in use, in progress or answered, Then another request may not use it
    begun = begin(keys)
    with pytest.raises(KeyReusedError, match="'k' was used for another"):
        begin(keys, "other")
    keys.finish("k", begun.claim, b"answer")
    with pytest.raises(KeyReusedError, match="new key"):
        begin(keys, "other")


def test_while_the_first_is_answered_others_wait(keys: IdempotencyStore) -> None:
    begin(keys)
    with pytest.raises(InProgressError, match="'k'"):
        begin(keys, at=NOW + LEASE - 1)


def test_an_expired_claim_cannot_finish(keys: IdempotencyStore) -> None:
    # Given a first worker that exceeds its claim, and a second that takes over
    first = begin(keys)
    second = begin(keys, at=NOW + LEASE)
    assert second.answer is None
    # Then the second's answer is the one, whichever finishes first
    assert not keys.finish("k", first.claim, b"first")
    assert keys.finish("k", second.claim, b"second")
    assert not keys.finish("k", first.claim, b"first")
    assert begin(keys, at=NOW + LEASE + 1).answer == b"second"


def test_a_request_that_was_not_answered_may_be_repeated(keys: IdempotencyStore) -> None:
    # Given a request that failed, and gave its key back
    first = begin(keys)
    keys.release("k", first.claim)
    # Then it may come again, even changed
    second = begin(keys, "other")
    assert second.answer is None
    # And the first's late release changes nothing
    keys.release("k", first.claim)
    assert keys.finish("k", second.claim, b"answer")
    keys.release("k", second.claim)
    assert begin(keys, "other").answer == b"answer"


def test_an_expired_key_is_free(keys: IdempotencyStore) -> None:
    begun = begin(keys)
    keys.finish("k", begun.claim, b"old")
    again = begin(keys, "other", at=NOW + KEPT)
    assert again.answer is None
    assert keys.finish("k", again.claim, b"new")


def test_of_concurrent_requests_one_gets_the_claim(keys: IdempotencyStore) -> None:
    def try_to_begin(_: int) -> Begun | None:
        try:
            return begin(keys)
        except InProgressError:
            return None

    with ThreadPoolExecutor(8) as pool:
        begun = [each for each in pool.map(try_to_begin, range(16)) if each]
    assert len(begun) == 1


def test_sqlite_forgets_expired_keys(tmp_path: Path) -> None:
    keys = SqliteIdempotencyStore(tmp_path / "work.db")
    begin(keys)
    assert keys.delete_expired(expired_at_ms=NOW + KEPT - 1) == 0
    assert keys.delete_expired(expired_at_ms=NOW + KEPT) == 1
    assert begin(keys, "other").answer is None
    keys.close()
