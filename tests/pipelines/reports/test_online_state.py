"""`ontime online-state`: a mark later than now is found and healed; refused events come again."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec

from pipelines.cli import execute
from serving.online.event_intake import TOO_LATE, DeadLetter
from serving.online.event_messages import QueuedEvents
from serving.online.online_state import STATE_KEY, Watermark, read_watermark
from serving.settings import StoreSettings
from serving.stores.online.sqlite import SqliteOnlineStore
from serving.stores.opening import open_queue
from tests.serving.support import a_home, a_service

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

END = 23_142_781  # the pipeline has filled the store until then, in 2014
DEPARTED = {
    "event": "flight_departed",
    "flight_id": "UA-389-2013123023",
    "at": "2013-12-30T23:52Z",
}


def mark_of(home: Path, mark: Watermark | None = None) -> Watermark:
    """Return the watermark of a home, after setting it where one is given."""
    with closing(SqliteOnlineStore(home / "serving.db")) as store:
        if mark is not None:
            store.put_many({STATE_KEY: msgspec.msgpack.encode(mark)})
        return read_watermark(store)


def test_a_right_mark_is_shown(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mark_of(a_home(home), Watermark(END, filled=END))
    assert execute(["online-state", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["watermark"] == found["filled_until"] == "2014-01-01T09:01:00Z"
    assert not found["was_ahead_of_now"]
    assert (found["events_waiting"], found["dead_letters"], found["sent_again"]) == (0, 0, 0)


def test_a_mark_later_than_now_is_found_and_healed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a mark of 2099 and an event that was refused as too late, beside another dead letter
    mark_of(a_home(home), Watermark(67_852_800, filled=END))
    dead = open_queue(StoreSettings(), home, "events").dead_letters()
    letters = [
        DeadLetter(reason, END * 60_000, msgspec.Raw(json.dumps(DEPARTED).encode()))
        for reason in (TOO_LATE, "it was in the future")
    ]
    dead.send([*(msgspec.json.encode(each).decode() for each in letters), "[]"])
    # When it is looked at / Then the command fails with the way out, and changes nothing
    assert execute(["online-state"]) == 1
    assert "ontime online-state --heal" in capsys.readouterr().err
    assert mark_of(home).newest == 67_852_800
    # When it is healed / Then the mark is where the pipeline left it, and the event comes again
    assert execute(["online-state", "--heal", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["healed"], found["sent_again"], found["dead_letters"]) == (True, 1, 2)
    assert mark_of(home) == Watermark(END, filled=END)
    (message,) = open_queue(StoreSettings(), home, "events").receive()
    queued = msgspec.json.decode(message.body, type=QueuedEvents)
    assert queued.received_at == END * 60_000
    # And the service applies it
    assert a_service(home).events.apply([message.body]).applied == 1
