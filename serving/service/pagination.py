"""Pages of the prediction history: validates the query and encodes the answer."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import msgspec

from serving.schema.field_problems import value_shown
from serving.schema.problems import FieldProblem, HistoryUnavailableError, InvalidRequestError
from serving.schema.responses import HistoryAnswer
from serving.stores.errors import InvalidCursorError, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.settings import ServingSettings
    from serving.stores.history.protocol import PredictionHistory

HISTORY_PARAMETERS: Final = ("limit", "cursor", "flight_id", "since", "until")
_LONGEST_FLIGHT_ID: Final = 32
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MS: Final = dt.timedelta(milliseconds=1)


def history_page(
    history: PredictionHistory, options: ServingSettings, query: Mapping[str, str]
) -> bytes:
    """Return a page of the prediction history, newest first.

    Args:
        history: The history.
        options: How many predictions are on a page.
        query: Values of `HISTORY_PARAMETERS`, each optional.

    Raises:
        InvalidRequestError: A parameter has a value that cannot be.
        HistoryUnavailableError: The history cannot be read.
    """
    found: list[FieldProblem] = []
    limit = _limit(query.get("limit"), options, found)
    flight_id = _flight_id(query.get("flight_id"), found)
    since, until = (_instant(name, query.get(name), found) for name in ("since", "until"))
    if found:
        raise InvalidRequestError(found)
    try:
        page = history.page(
            limit=limit,
            cursor=query.get("cursor"),
            flight_id=flight_id,
            since_ms=since,
            until_ms=until,
        )
    except InvalidCursorError as error:
        fix = "Take the value of `next` from the page before, or leave it out."
        raise InvalidRequestError([FieldProblem("cursor", "It is not a cursor.", fix)]) from error
    except StoreError as error:
        raise HistoryUnavailableError(str(error)) from error
    items = [msgspec.Raw(record.body) for record in page.records]
    return msgspec.json.encode(HistoryAnswer(items, page.next_cursor, items))


def _limit(given: str | None, options: ServingSettings, found: list[FieldProblem]) -> int:
    most = options.history_page_max
    if given is None:
        return min(options.history_page, most)
    if not (given.isascii() and given.isdigit() and len(given) <= len(str(most))) or not (
        1 <= int(given) <= most
    ):
        problem = f"{value_shown(given)} is no limit."
        found.append(FieldProblem("limit", problem, f"Send 1 to {most}."))
        return most
    return int(given)


def _flight_id(given: str | None, found: list[FieldProblem]) -> str | None:
    if given is not None and not 0 < len(given) <= _LONGEST_FLIGHT_ID:
        fix = 'Send carrier, number and UTC hour, such as "UA-389-2013123023".'
        found.append(FieldProblem("flight_id", "It is empty or too long.", fix))
    return given


def _instant(name: str, given: str | None, found: list[FieldProblem]) -> int | None:
    if given is None:
        return None
    try:
        at = dt.datetime.fromisoformat(given)
        if at.tzinfo is None or at < _EPOCH:
            raise ValueError  # noqa: TRY301 - reported with the others
    except (ValueError, OverflowError):
        fix = 'Send an instant with its offset, such as "2013-12-31T12:00:00Z".'
        problem = f"{value_shown(given)} is no instant from 1970 on."
        found.append(FieldProblem(name, problem, fix))
        return None
    return (at - _EPOCH) // _MS
