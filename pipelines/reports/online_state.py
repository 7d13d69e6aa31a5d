"""`ontime online-state`: how far the online state has come, what waits; heals a wrong mark."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Final

import msgspec

from ontime_base.errors import OntimeError
from serving.online.event_intake import TOO_LATE, DeadLetter
from serving.online.event_messages import EventPayload, QueuedEvents
from serving.online.online_state import heal_watermark, read_watermark
from serving.schema.clock import MS_PER_MINUTE, iso_minute, now_ms
from serving.stores.opening import open_online_store, open_queue

if TYPE_CHECKING:
    from pipelines.runtime.context import RunContext
    from serving.stores.queue.protocol import Queue

_HIDDEN_SECONDS: Final = 60


class OnlineStateError(OntimeError):
    """The watermark of the online state is wrong."""


def check_online_state(context: RunContext, *, heal: bool = False, as_json: bool = False) -> None:
    """Print the state of the online store and of the event queue, and heal a watermark if asked to.

    Args:
        context: What every stage is given.
        heal: Set a watermark that is later than now back, and send the events again that were
            refused as too late.
        as_json: Print one JSON document.

    Raises:
        OnlineStateError: The watermark is later than now, and is not to be healed.
        StoreError: A store cannot be used.
    """
    stores, home = context.settings.serving.stores, context.settings.home
    now = now_ms() // MS_PER_MINUTE
    events, sent_again = open_queue(stores, home, "events"), 0
    with closing(open_online_store(stores, home)) as store:
        mark = read_watermark(store)
        ahead = mark.is_ahead(now)
        if heal and ahead:
            mark = heal_watermark(store, now)
    if heal:
        sent_again = _send_again(events)
    found = {
        "watermark": iso_minute(mark.newest),
        "filled_until": iso_minute(mark.filled) if mark.filled else None,
        "was_ahead_of_now": ahead,
        "healed": ahead and heal,
        "events_waiting": events.depth(),
        "dead_letters": events.dead_letters().depth(),
        "sent_again": sent_again,
    }
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        for name, value in found.items():
            context.console.say(f"{name.replace('_', ' '):18} {value}")
    if ahead and not heal:
        raise OnlineStateError(
            f"The watermark of the online state is {iso_minute(mark.newest)}, which is later than "
            "now, so events are refused as too late: run `ontime online-state --heal`."
        )


def _send_again(events: Queue) -> int:
    """Send the events again that are dead letters as they came too late; return how many."""
    dead, sent = events.dead_letters(), 0
    while messages := dead.receive(hidden_seconds=_HIDDEN_SECONDS):
        for message in messages:
            try:
                letter = msgspec.json.decode(message.body, type=DeadLetter)
                payload = msgspec.json.decode(letter.event, type=EventPayload)
            except msgspec.MsgspecError:
                continue  # a dead letter of another kind stays
            if letter.reason == TOO_LATE:
                queued = QueuedEvents(letter.received_at, [payload])
                events.send([msgspec.json.encode(queued).decode()])
                dead.delete([message])
                sent += 1
    return sent
