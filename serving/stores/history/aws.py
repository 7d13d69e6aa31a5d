"""The prediction history in DynamoDB.

A prediction is an item by its id. Two indexes hold keys only: by day and time, and by flight and
time; a page reads keys from one of them, and then the items in one batch. Which days have any
predictions is written in the same table, under the day `days`: a page that reaches back over
empty months reads no empty day.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from serving.stores.aws.dynamodb import DynamoTable, number, packed, text, unpacked
from serving.stores.boundary import store_boundary
from serving.stores.definitions import BY_FLIGHT, BY_TIME, EXPIRES_AT
from serving.stores.errors import StoreError
from serving.stores.history.cursor import to_cursor, upper_end
from serving.stores.history.protocol import HistoryPage, PredictionRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serving.stores.aws.dynamodb import Item
    from serving.stores.history.cursor import Position

_DAYS: Final = "days"  # the partition of the index that lists the days
_DAYS_AT_ONCE: Final = 50
_EPOCH: Final = dt.date(1970, 1, 1)
_MS_PER_DAY: Final = 86_400_000
_LAST_DAY: Final = (dt.date.max - _EPOCH).days


@store_boundary("The prediction history in DynamoDB")
class DynamoPredictionHistory:
    """The prediction history in a DynamoDB table; may be used by several threads.

    Args:
        table: The table, keyed by `prediction_id`.
        retention_days: Time to live of a prediction, from its request on.
    """

    def __init__(self, table: DynamoTable, *, retention_days: int) -> None:
        self._table = table
        self._retention_days = retention_days
        self._known_days: set[str] = set()

    def append(self, records: Sequence[PredictionRecord]) -> None:
        """Append the records; see `PredictionHistory.append`."""
        try:
            days = {_day(record.requested_at_ms) for record in records} - self._known_days
            if days:  # before their first record, or a page could miss it
                self._table.put_many([self._day_item(day) for day in sorted(days)])
                self._known_days |= days
            by_id = {record.prediction_id: record for record in records}
            self._table.put_many([self._item(record) for record in by_id.values()])
        except StoreError:
            self._known_days.clear()  # the table that comes back may be an older one, restored
            raise

    def get(self, prediction_id: str) -> PredictionRecord | None:
        """Return one prediction; see `PredictionHistory.get`."""
        found = self._table.get({"prediction_id": text(prediction_id)})
        return None if found is None or "body" not in found else _record(found)

    def page(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        flight_id: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> HistoryPage:
        """Return a page, newest first; see `PredictionHistory.page`."""
        end = upper_end(cursor, until_ms)
        most = limit + 1  # one more, to know whether an older page exists
        since = since_ms or 0
        keys: list[Item] = []
        if flight_id is not None:
            keys = self._range((BY_FLIGHT, "flight_id", flight_id), since, end, most)
        else:
            for day in self._days(since, end[0]):
                keys += self._range((BY_TIME, "day", day), since, end, most - len(keys))
                if len(keys) == most:
                    break
        found = self._table.get_many(
            [{"prediction_id": key["prediction_id"]} for key in keys[:limit]], consistent=True
        )
        records = sorted(map(_record, found), key=_position, reverse=True)
        more = len(keys) == most
        return HistoryPage(records, to_cursor(_position_in(keys[limit - 1])) if more else None)

    def delete_before(self, *, before_ms: int) -> int:
        """Do nothing: DynamoDB removes what has expired, by its time to live."""
        del before_ms
        return 0

    def check(self) -> None:
        """Read from the table; see `PredictionHistory.check`."""
        self._table.get({"prediction_id": text("check")})

    def close(self) -> None:
        """Close the connections."""
        self._table.close()

    def _range(
        self, partition: tuple[str, str, str], since_ms: int, end: Position, most: int
    ) -> list[Item]:
        """Return the keys of the newest predictions of a flight or day, within a range of time."""
        between = ("at", _at((since_ms, "")), _at(end))
        return self._table.query(partition, between, most=most)

    def _days(self, since_ms: int, until_ms: int) -> Iterator[str]:
        """Give the days that have predictions, newest first."""
        end = _after(_day(until_ms))
        while True:
            found = self._table.query(
                (BY_TIME, "day", _DAYS), ("at", _day(since_ms), end), most=_DAYS_AT_ONCE
            )
            for item in found:
                end = item["at"]["S"]
                yield end
            if len(found) < _DAYS_AT_ONCE:
                return

    def _item(self, record: PredictionRecord) -> Item:
        return {
            "prediction_id": text(record.prediction_id),
            "day": text(_day(record.requested_at_ms)),
            "at": text(_at(_position(record))),
            "flight_id": text(record.flight_id),
            "body": packed(record.body, f"Prediction '{record.prediction_id}'"),
            EXPIRES_AT: number(record.requested_at_ms // 1000 + self._retention_days * 86_400),
        }

    def _day_item(self, day: str) -> Item:
        days = (dt.date.fromisoformat(day) - _EPOCH).days + 1 + self._retention_days
        return {
            "prediction_id": text(f"day#{day}"),
            "day": text(_DAYS),
            "at": text(day),
            EXPIRES_AT: number(days * 86_400),
        }


def _position(record: PredictionRecord) -> Position:
    return record.requested_at_ms, record.prediction_id


def _at(position: Position) -> str:
    """Return the sort key of a position: in the order of its bytes, as DynamoDB sorts."""
    return f"{position[0]:019d}#{position[1]}"


def _position_in(item: Item) -> Position:
    at, _, prediction_id = item["at"]["S"].partition("#")
    return int(at), prediction_id


def _record(item: Item) -> PredictionRecord:
    at, prediction_id = _position_in(item)
    return PredictionRecord(at, prediction_id, item["flight_id"]["S"], unpacked(item["body"]))


def _day(at_ms: int) -> str:
    return (_EPOCH + dt.timedelta(days=min(at_ms // _MS_PER_DAY, _LAST_DAY))).isoformat()


def _after(day: str) -> str:
    """Return a text that sorts after this day and before the next."""
    return f"{day}#"
