"""Reads the feature table for training, at a pinned version, with its lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.catalog import FEATURES
from features.declare import columns as c
from pipelines.gold.feature_table import FLIGHTS, WEATHER
from pipelines.tables.table_reader import Period
from training.data.parts import bounds_of
from training.data.samples import IDENTITY
from training.data.split import part_of
from training.tracking.lineage import TableLineage

if TYPE_CHECKING:
    from pipelines.runtime.context import RunContext
    from training.data.parts import Part
    from training.data.samples import Sample


def read_part(context: RunContext, part: Part) -> Sample:
    """Return the labelled flights of a part, with every declared feature.

    Raises:
        StageNotRunError: The feature table was not built.
        SplitError: The part has no flights.
    """
    gold, split = context.outputs("build_features"), context.settings.training.split
    start, end = bounds_of(part, split)
    rows = context.reader.rows(
        str(gold["table"]),
        [*IDENTITY, *(feature.name for feature in FEATURES), c.LABEL],
        version=int(gold["version"]),
        period=Period(c.SCHEDULED_DEPARTURE, start, end),
        known=c.LABEL,
    )
    return part_of(rows, part, FEATURES, split)


def table_lineage(context: RunContext) -> TableLineage:
    """Return which feature table, and what of it, is read."""
    gold = context.outputs("build_features")
    name = str(gold["table"])
    return TableLineage(
        name=name,
        uri=context.reader.uri(name),
        version=int(gold["version"]),
        content_hash=str(gold["gold_hash"]),
        rows=int(gold["rows"]),
    )


def silver_lineage(context: RunContext) -> tuple[TableLineage, ...]:
    """Return which silver tables the feature table is made from, as ingest left them."""
    ingested = context.outputs("ingest")
    return tuple(
        TableLineage(
            name=name,
            uri=context.reader.uri(name),
            version=context.reader.version(name),
            content_hash=str(ingested["silver"][name.removeprefix("silver_")]),
            rows=int(ingested["kept"][name.removeprefix("silver_")]),
        )
        for name in (FLIGHTS, WEATHER)
    )
