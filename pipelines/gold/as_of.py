"""The feature table as of a past ingest: of the silver tables as they stood then, bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.offline.blocks import EVERY_DAY, DayRange
from ontime_base.errors import OntimeError
from pipelines.gold.build import GoldPlan, made_by
from pipelines.gold.feature_table import FLIGHTS, WEATHER
from pipelines.tables.commit_metadata import GoldMark, SilverMark, SilverState, mark_of
from pipelines.tables.delta_tables import TableMissingError

if TYPE_CHECKING:
    import datetime as dt

    from pipelines.runtime.context import RunContext
    from pipelines.tables.content_hash import Content, Contents
    from pipelines.tables.delta_tables import Tables


class AsOfError(OntimeError):
    """A past ingest is not known, or its feature table does not come out as it was recorded."""


def plan_as_of(
    context: RunContext, name: str, at: dt.datetime, asked_for: DayRange = EVERY_DAY
) -> GoldPlan:
    """Return what is to be done to have a feature table as of a past ingest.

    Args:
        context: Tables and settings.
        name: The feature table, which is of this ingest only.
        at: What had been ingested by then counts.
        asked_for: Days that a person wants; there are only all of them.

    Raises:
        AsOfError: Nothing had been ingested by then, or only some days are asked for.
    """
    if asked_for != EVERY_DAY:
        raise AsOfError(
            "A feature table as of a past ingest has every day: leave out `from` and `to`."
        )
    flights, weather = (silver_as_of(context.tables, table, at) for table in (FLIGHTS, WEATHER))
    wanted = GoldMark(flights, weather, made_by(context))
    try:
        before = mark_of(GoldMark, context.tables.description(name))
    except TableMissingError:
        before = None
    versions = f"{FLIGHTS} version {flights.version}, {WEATHER} version {weather.version}"
    if before == wanted:
        return GoldPlan((), wanted, f"it is made of {versions} already")
    return GoldPlan((EVERY_DAY,), wanted, f"made of {versions}")


def silver_as_of(tables: Tables, table: str, at: dt.datetime) -> SilverState:
    """Return the last state of a silver table of what had been ingested by an instant.

    Raises:
        AsOfError: There is none; names the first ingest.
    """
    commits = tables.commits(table)
    marks = [(commit, mark_of(SilverMark, commit.description)) for commit in commits]
    known = [(commit, mark) for commit, mark in marks if mark is not None]
    for commit, mark in known:
        if mark.until <= at:
            return SilverState(commit.version, mark.until)
    first = (
        f"the first known ingest was at {known[-1][1].until.isoformat()}"
        if known
        else "no ingest is known"
    )
    raise AsOfError(
        f"Nothing of {table} had been ingested by {at.isoformat()}: {first}. Give a later instant."
    )


def compare_with_record(
    tables: Tables, contents: Contents, table: str, mark: GoldMark, content: Content
) -> str:
    """Return in words how a feature table made again compares with what was recorded then.

    Args:
        tables: The tables.
        contents: Their contents, also those of past versions.
        table: The feature table that was made of every ingest as it came.
        mark: What the one made again is made of.
        content: Its content.

    Raises:
        AsOfError: The record has another content, though it was made of the same by the same code.
    """
    commits = tables.commits(table)
    for commit in commits:
        then = mark_of(GoldMark, commit.description)
        if then is None or (then.flights, then.weather) != (mark.flights, mark.weather):
            continue
        recorded = contents.at(table, commit)
        if recorded is None:
            continue
        if recorded.digest == content.digest:
            return f"equal, bit for bit, to {table} version {commit.version} as it was recorded"
        if then.made_by != mark.made_by:
            return f"not as {table} version {commit.version}, which other code or settings made"
        raise AsOfError(
            f"{table} version {commit.version} was recorded with content {recorded.digest}, but "
            f"{content.digest} comes out of the same silver now: report this, it is a defect of "
            "Ontime."
        )
    return f"no version of {table} was recorded of exactly this ingest"
