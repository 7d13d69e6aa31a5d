"""Laws of paging, for whatever records come in whatever order, also between two pages."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.stores.definitions import PREDICTIONS
from serving.stores.history.aws import DynamoPredictionHistory
from serving.stores.history.protocol import PredictionRecord
from serving.stores.history.sqlite import SqlitePredictionHistory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from serving.stores.aws.dynamodb import DynamoTable
    from serving.stores.history.protocol import PredictionHistory

_DAY = 86_400_000
INSTANTS = st.one_of(st.integers(0, 5), st.integers(_DAY - 2, _DAY + 2), st.integers(0, 10**13))
RECORDS = st.lists(
    st.builds(
        PredictionRecord,
        INSTANTS,
        st.text("ab-é~", min_size=1, max_size=3),
        st.sampled_from(["A", "B"]),
        st.just(b"{}"),
    ),
    max_size=12,
    unique_by=lambda record: record.prediction_id,
)


def order(record: PredictionRecord) -> tuple[int, bytes]:
    return record.requested_at_ms, record.prediction_id.encode()


def require_laws(
    history: PredictionHistory,
    records: list[PredictionRecord],
    *,
    early: int,
    limit: int,
    flight_id: str | None,
    ends: tuple[int | None, int | None],
) -> None:
    """Page through a history to which records are added after every page."""
    since, until = ends
    history.append(records[:early])
    later = iter(records[early:])
    found: list[PredictionRecord] = []
    cursor = None
    for _ in range(len(records) + 2):
        page = history.page(
            limit=limit, cursor=cursor, flight_id=flight_id, since_ms=since, until_ms=until
        )
        found += page.records
        if (cursor := page.next_cursor) is None:
            break
        assert len(page.records) == limit
        history.append(list(itertools.islice(later, 2)))
    assert cursor is None
    # Newest first, each once, and only what was requested
    keys = [order(record) for record in found]
    assert keys == sorted(set(keys), reverse=True)
    wanted = [
        record
        for record in records
        if flight_id in {None, record.flight_id}
        and (since is None or record.requested_at_ms >= since)
        and (until is None or record.requested_at_ms < until)
    ]
    assert set(keys) <= set(map(order, wanted))
    # All that was there from the beginning
    assert {order(record) for record in records[:early] if record in wanted} <= set(keys)


CASES = st.fixed_dictionaries(
    {
        "records": RECORDS,
        "early": st.integers(0, 12),
        "limit": st.integers(1, 5),
        "flight_id": st.sampled_from([None, "A"]),
        "ends": st.tuples(st.none() | INSTANTS, st.none() | INSTANTS),
    }
)


@settings(max_examples=60, deadline=None)
@given(case=CASES)
def test_sqlite_pages_by_the_laws(
    tmp_path_factory: pytest.TempPathFactory,
    case: dict[str, Any],
) -> None:
    path: Path = tmp_path_factory.mktemp("laws") / "serving.db"
    history = SqlitePredictionHistory(path)
    require_laws(history, **case)
    history.close()


@pytest.mark.aws
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(case=CASES)
def test_dynamodb_pages_by_the_laws(
    new_tables: Callable[[], Callable[[str], DynamoTable]],
    case: dict[str, Any],
) -> None:
    history = DynamoPredictionHistory(new_tables()(PREDICTIONS), retention_days=90)
    require_laws(history, **case)
