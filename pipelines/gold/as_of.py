"""The feature table as of a past ingest: computed from the silver versions of that time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.offline.blocks import EVERY_DAY, DayRange
from ontime_base.errors import OntimeError
from pipelines.gold.build import GoldPlan, gold_fingerprint
from pipelines.gold.feature_table import FLIGHTS, WEATHER
from pipelines.tables.commit_metadata import (
    GoldCommit,
    SilverCommit,
    SilverVersion,
    from_description,
)
from pipelines.tables.delta_tables import TableMissingError

if TYPE_CHECKING:
    import datetime as dt

    from pipelines.runtime.context import RunContext
    from pipelines.tables.content_hash import ContentHash
    from pipelines.tables.content_hash_cache import ContentHashCache
    from pipelines.tables.delta_tables import Tables


class AsOfError(OntimeError):
    """A past ingest is not known, or its feature table differs from the recorded one."""


def plan_as_of(
    context: RunContext, name: str, at: dt.datetime, asked_for: DayRange = EVERY_DAY
) -> GoldPlan:
    """Return what is to be done to build a feature table as of a past ingest.

    Args:
        context: Tables and settings.
        name: The feature table, a table of its own for this ingest.
        at: Only rows that had been ingested by then are read.
        asked_for: Days that the caller wants; only all of them are possible.

    Raises:
        AsOfError: Nothing had been ingested by then, or only some days are asked for.
    """
    if asked_for != EVERY_DAY:
        raise AsOfError(
            "A feature table as of a past ingest has every day: leave out `from` and `to`."
        )
    flights, weather = (silver_as_of(context.tables, table, at) for table in (FLIGHTS, WEATHER))
    wanted = GoldCommit(flights, weather, gold_fingerprint(context))
    try:
        before = from_description(GoldCommit, context.tables.description(name))
    except TableMissingError:
        before = None
    versions = f"{FLIGHTS} version {flights.version}, {WEATHER} version {weather.version}"
    if before == wanted:
        return GoldPlan((), wanted, f"it is computed from {versions} already")
    return GoldPlan((EVERY_DAY,), wanted, f"computed from {versions}")


def silver_as_of(tables: Tables, table: str, at: dt.datetime) -> SilverVersion:
    """Return the last version of a silver table that holds what had been ingested by an instant.

    Raises:
        AsOfError: There is none; names the first ingest.
    """
    commits = tables.commits(table)
    all_of_them = ((each, from_description(SilverCommit, each.description)) for each in commits)
    known = [(commit.version, metadata) for commit, metadata in all_of_them if metadata]
    for version, metadata in known:
        if metadata.until <= at:
            return SilverVersion(version, metadata.until)
    first = (
        f"the first known ingest was at {known[-1][1].until.isoformat()}"
        if known
        else "no ingest is known"
    )
    raise AsOfError(
        f"Nothing of {table} had been ingested by {at.isoformat()}: {first}. Give a later instant."
    )


def compare_with_record(
    tables: Tables, hashes: ContentHashCache, table: str, built: GoldCommit, content: ContentHash
) -> str:
    """Return as text how a feature table of a past ingest compares with the one recorded then.

    Args:
        tables: The tables.
        hashes: Their content hashes, also those of past versions.
        table: The feature table that is updated by every ingest.
        built: The metadata of the table that was built now.
        content: Its content hash.

    Raises:
        AsOfError: The record has another content hash, for the same silver and the same code.
    """
    commits = tables.commits(table)
    for commit in commits:
        then = from_description(GoldCommit, commit.description)
        if then is None or (then.flights, then.weather) != (built.flights, built.weather):
            continue
        recorded = hashes.at_commit(table, commit)
        if recorded is None:
            continue
        if recorded.digest == content.digest:
            return f"equal, bit for bit, to {table} version {commit.version} as it was recorded"
        if then.fingerprint != built.fingerprint:
            return f"not as {table} version {commit.version}, which has other code or settings"
        raise AsOfError(
            f"{table} version {commit.version} was recorded with content {recorded.digest}, but "
            f"{content.digest} comes out of the same silver now: report this, it is a defect of "
            "Ontime."
        )
    return f"no version of {table} was recorded of exactly this ingest"
