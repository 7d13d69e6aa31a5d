"""The ledger and the prediction history as frames: decisions, and the versions that served."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pandas as pd

from operations.ledger.ledger import read_ledger
from operations.ledger.state import state_at
from pipelines.runtime.context import RunContext
from pipelines.settings import load_settings
from serving.stores.opening import open_history

if TYPE_CHECKING:
    from operations.ledger.ledger import Ledger

_PAGE = 100


def ledger() -> Ledger:
    """Return the ledger of this environment, verified.

    Raises:
        LedgerError: It is not an unbroken chain.
    """
    return read_ledger(RunContext(load_settings()).artifacts)


def entries(of: Ledger) -> pd.DataFrame:
    """Return every decision, oldest first."""
    rows = [
        {
            "#": entry.sequence,
            "at": entry.at,
            "decision": entry.kind,
            "version": entry.version,
            "by": entry.by,
            "reason": entry.reason,
        }
        for entry in of.entries
    ]
    return pd.DataFrame(rows, columns=["#", "at", "decision", "version", "by", "reason"])


def releases(of: Ledger) -> pd.DataFrame:
    """Return what answered from when on: a row for each decision that changed it."""
    rows = []
    for entry in of.entries:
        if entry.release is None:
            continue
        champion, challenger = entry.release.champion, entry.release.challenger
        rows.append(
            {
                "from": entry.at,
                "champion": champion.version if champion else "none",
                "challenger": challenger.version if challenger else "none",
                "challenger's share": entry.release.challenger_weight,
                "because": f"{entry.kind} by {entry.by}: {entry.reason}",
            }
        )
    names = ["from", "champion", "challenger", "challenger's share", "because"]
    return pd.DataFrame(rows, columns=names)


def gates(of: Ledger) -> pd.DataFrame:
    """Return what the gates measured: a row for each figure, a column for each version."""
    figures = {
        f"version {entry.version}": {
            "verdict": "passed" if entry.evidence.get("passed") else entry.reason,
            **entry.evidence.get("figures", {}),
        }
        for entry in of.entries
        if entry.kind == "gated"
    }
    return pd.DataFrame(figures)


def served_at(of: Ledger, at: str) -> str:
    """Return in a sentence which version was in production at an instant, and why.

    Args:
        of: The ledger.
        at: UTC, such as `2026-03-01T10:00:00.000Z`.
    """
    state = state_at(of.entries, at)
    if state.release.champion is None or state.released_by is None:
        return f"At {at} nothing was in production."
    because = state.released_by
    return (
        f"At {at} version {state.release.champion.version} was in production: entry "
        f"{because.sequence}, {because.kind} of version {because.version} by {because.by} at "
        f"{because.at}: {because.reason}."
    )


def predictions(*, most: int = 1000) -> pd.DataFrame:
    """Return the newest answers of the service, with the version that gave each."""
    context = RunContext(load_settings())
    history = open_history(context.settings.serving.stores, context.settings.home)
    found: list[dict[str, object]] = []
    cursor = None
    while len(found) < most:
        page = history.page(limit=_PAGE, cursor=cursor)
        found += [_answer(record.body) for record in page.records]
        cursor = page.next_cursor
        if cursor is None:
            break
    names = ["version", "requested_at", "flight_id", "probability", "late"]
    return pd.DataFrame(found[:most], columns=names)


def _answer(body: bytes) -> dict[str, object]:
    answer = msgspec.json.decode(body)
    return {
        "version": answer["model"]["version"],
        "requested_at": answer["requested_at"],
        "flight_id": answer["flight_id"],
        "probability": answer["probability"],
        "late": answer["late"],
    }
