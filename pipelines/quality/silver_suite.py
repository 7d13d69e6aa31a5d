"""The expectations of silver tables, which rows meet before they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from features.declare import columns as c
from features.silver.raw import FLIGHTS
from features.silver.silver_tables import SILVER
from pipelines.quality.validation import QualityReport, validate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from great_expectations.expectations.expectation import Expectation
    from pyspark.sql import DataFrame

_UTC_OFFSETS = (-12 * 60, 14 * 60)

# Of flights: the status agrees with the events, and they are in the order of time.
_EVENTS_AGREE = "events agree with status and schedule"
_EVENTS_AGREE_SQL = f"""
    ({c.STATUS} = '{c.CANCELLED_STATUS}') = ({c.DEPARTED} IS NULL)
    AND ({c.STATUS} = '{c.ARRIVED_STATUS}') = ({c.ARRIVED} IS NOT NULL)
    AND ({c.CANCELLATION_KNOWN} IS NOT NULL) = ({c.STATUS} = '{c.CANCELLED_STATUS}')
    AND ({c.DIVERSION_KNOWN} IS NOT NULL) = ({c.STATUS} = '{c.DIVERTED_STATUS}')
    AND {c.SCHEDULED_ARRIVAL} > {c.SCHEDULED_DEPARTURE}
    AND ({c.ARRIVED} IS NULL OR {c.ARRIVED} > {c.DEPARTED})
"""
_FLIGHT_REQUIRED = (
    c.SCHEDULED_DEPARTURE, c.SCHEDULED_ARRIVAL, c.ORIGIN_OFFSET, c.DESTINATION_OFFSET, c.STATUS,
    c.FLIGHT_DATE,
)  # fmt: skip


def validate_silver(
    frame: DataFrame | pa.Table, *, rows: int, source: str, home: Path
) -> QualityReport:
    """Validate rows that are about to be written to a silver table; return the report.

    Args:
        frame: The rows: cached, as they are read several times, or an Arrow table that has the
            columns of `silver_conditions`.
        rows: How many there are.
        source: The source, such as `flights`.
        home: The home folder, where the data docs are.

    Raises:
        DataQualityError: An expectation is not met; names it, the table and what was observed.
    """
    names = frame.column_names if isinstance(frame, pa.Table) else frame.columns
    return validate(
        frame,
        rows=rows,
        table=f"silver_{source}",
        expectations=lambda: silver_expectations(source, names),
        conditions=silver_conditions(source),
        home=home,
    )


def silver_conditions(source: str) -> dict[str, str]:
    """Return the further columns that the suite of a source needs, as SQL; null is false.

    Args:
        source: The source.
    """
    return {_EVENTS_AGREE: _EVENTS_AGREE_SQL} if source == FLIGHTS else {}


def silver_expectations(source: str, columns: Sequence[str]) -> list[Expectation]:
    """Return the expectations of the silver table of a source.

    Args:
        source: The source.
        columns: The columns that the table has; limits are those of its fields.
    """
    from pipelines.quality import expectation_builders as expect  # noqa: PLC0415 - takes 2 s

    table = SILVER[source]
    fields = [field for field in table.fields if field.name in columns]
    required = {*table.key, *c.LINEAGE, *(field.name for field in fields if field.required)}
    expected = [expect.not_empty(), expect.unique(table.key)]
    for field in fields:
        if field.kind.type != "string":
            expected += expect.in_range(field.name, field.minimum, field.maximum)
    if source == FLIGHTS:
        required |= set(_FLIGHT_REQUIRED)
        expected += [
            *expect.in_range(c.ORIGIN_OFFSET, *_UTC_OFFSETS),
            *expect.in_range(c.DESTINATION_OFFSET, *_UTC_OFFSETS),
            expect.always(_EVENTS_AGREE),
        ]
    return [*expected, *expect.present(column for column in columns if column in required)]
