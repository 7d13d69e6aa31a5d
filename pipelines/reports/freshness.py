"""`ontime look freshness`, `ontime look tables`: age and row counts by day of each table."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from features.declare import columns as c
from features.silver.raw import RAW_COLUMNS
from ontime_base.errors import OntimeError
from pipelines.html_pages import write_page
from pipelines.runtime.figures import write_figures
from pipelines.silver.table_names import QUARANTINE, bronze_table, silver_table
from pipelines.tables.locations import local_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipelines.runtime.context import RunContext
    from pipelines.tables.table_reader import TableReader

# The first of these that a table has is the event time, or the day, of its rows.
_EVENTS: Final = (c.SCHEDULED_DEPARTURE, c.OBSERVED)
_DAYS: Final = (c.FLIGHT_DATE, c.OBSERVED)
_WEEKS: Final = 4
_LEAST_SHARE: Final = 0.25
_LEAST_DEVIATIONS: Final = 4.0
_MONTHS_FROM_DAYS: Final = 62
_MOST_DAYS: Final = 8
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_UNITS: Final = ((365 * 24, "year"), (24, "day"), (1, "hour"))
_PAGE: Final = Path(__file__).with_name("freshness.html")
_CHART_WIDTH, _CHART_HEIGHT = 620, 40


class NothingIngestedError(OntimeError):
    """There is no table yet."""


@dataclass(frozen=True)
class UnusualDay:
    """A day with far fewer or more rows than the same weekday around it.

    Attributes:
        day: The day.
        rows: How many rows it has.
        usual: The median of the same weekday in the four weeks before and after.
    """

    day: dt.date
    rows: int
    usual: float


@dataclass(frozen=True, kw_only=True)
class Volume:
    """The row counts and times of one table.

    Attributes:
        table: Its name.
        rows: How many rows it has.
        days: Rows by day, every day from the first to the last; empty if its rows have no day.
        newest_event: The latest event time of a row.
        newest_ingest: When the last row was ingested.
    """

    table: str
    rows: int
    days: Mapping[dt.date, int]
    newest_event: dt.datetime | None = None
    newest_ingest: dt.datetime | None = None

    @property
    def unusual(self) -> list[UnusualDay]:
        """The days of unusual volume."""
        return unusual_days(self.days)

    def periods(self) -> tuple[str, list[int]]:
        """Return `day` or `month`, and the rows of each: months where there are many days."""
        if len(self.days) <= _MONTHS_FROM_DAYS:
            return "day", list(self.days.values())
        months: Counter[tuple[int, int]] = Counter()
        for day, rows in self.days.items():
            months[day.year, day.month] += rows
        return "month", [months[month] for month in sorted(months)]


def report_freshness(context: RunContext, *, as_json: bool = False) -> None:
    """Print the report, and write its page and figures.

    Args:
        context: What every stage is given.
        as_json: Print the figures as JSON instead.

    Raises:
        NothingIngestedError: There is no table.
    """
    now, home = dt.datetime.now(dt.UTC), context.settings.home
    volumes = volumes_of(context)
    page = write_report(home, volumes, now)
    figures = _write_figures(home, volumes, now)
    if as_json:
        print(figures.read_text(encoding="utf-8").rstrip())
        return
    print("\n".join(lines_of(volumes, now)))
    print(f"\npage: {page}\nfigures: {figures}")


def table_names(context: RunContext) -> list[str]:
    """Return the tables that there are: bronze, silver, quarantine, and then all others."""
    settings, reader = context.settings, context.reader
    layers = [layer(source) for layer in (bronze_table, silver_table) for source in RAW_COLUMNS]
    folder, others = local_folder(settings.tables_root), [settings.features.table]
    if folder is not None:
        others = sorted(path.name for path in folder.glob("*/"))
    return [n for n in dict.fromkeys((*layers, QUARANTINE, *others)) if reader.exists(n)]


def list_tables(context: RunContext, *, as_json: bool = False) -> None:
    """Print the tables that there are, with their row counts.

    Args:
        context: What every stage is given.
        as_json: Print them as JSON.

    Raises:
        NothingIngestedError: There is no table.
    """
    rows = {name: context.reader.count(name) for name in table_names(context)}
    if not rows:
        raise _nothing_ingested(context)
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    for name, count in rows.items():
        print(f"{name:<24}{count:>12,}")


def volumes_of(context: RunContext) -> list[Volume]:
    """Return the row counts and times of every table.

    Raises:
        NothingIngestedError: There is no table.
    """
    found = [_volume(context.reader, name) for name in table_names(context)]
    if not found:
        raise _nothing_ingested(context)
    return found


def lines_of(volumes: Sequence[Volume], now: dt.datetime) -> Iterator[str]:
    """Yield the report, line by line."""
    yield f"{'table':<20}{'rows':>10}  {'newest event':<13}{'age':<10}{'ingested':<18}rows by month"
    for one in volumes:
        unit, values = one.periods()
        line = sparkline(values) + (" (by day)" if values and unit == "day" else "")
        yield (
            f"{one.table:<20}{one.rows:>10,}  {_day(one.newest_event):<13}"
            f"{age_of(one.newest_event, now):<10}{_minute(one.newest_ingest):<18}{line}"
        ).rstrip()
    for one in volumes:
        days = one.unusual
        if days:
            yield ""
            yield f"{one.table}: {len(days)} days of unusual volume"
            for each in sorted(days, key=lambda each: each.rows / max(each.usual, 1))[:_MOST_DAYS]:
                yield f"  {each.day:%a %Y-%m-%d}  {each.rows:>7,} rows, usually {each.usual:,.0f}"


def write_report(home: Path, volumes: Sequence[Volume], now: dt.datetime) -> Path:
    """Write the page below `reports/` and return its path."""
    return write_page(
        home / "reports" / "freshness.html",
        _PAGE,
        title="Freshness and volume",
        intro=f"As of {now:%Y-%m-%d %H:%M} UTC. Days count as unusual when they have far fewer or "
        "more rows than the same weekday in the four weeks before and after.",
        tables=[
            {
                "name": one.table,
                "rows": one.rows,
                "newest_event": _day(one.newest_event),
                "age": age_of(one.newest_event, now),
                "newest_ingest": _minute(one.newest_ingest),
                "unusual": one.unusual,
                "bars": bars_of(one.days),
            }
            for one in volumes
        ],
    )


@dataclass(frozen=True)
class Bar:
    """A bar of the page's chart, in its units: 620 wide and 40 high.

    Attributes:
        day: The day.
        x: Its left end.
        width: How wide it is.
        height: How high it is; the greatest value has the whole height.
        unusual: Whether the day has an unusual volume.
    """

    day: dt.date
    x: float
    width: float
    height: float
    unusual: bool


def bars_of(days: Mapping[dt.date, int]) -> list[Bar]:
    """Return a bar for the rows of each day."""
    greatest, step = max(days.values(), default=0) or 1, _CHART_WIDTH / max(len(days), 1)
    unusual = {each.day for each in unusual_days(days)}
    return [
        Bar(
            day=day,
            x=number * step,
            width=max(step * 0.85, 0.5),
            height=max(_CHART_HEIGHT * rows / greatest, 0.6),
            unusual=day in unusual,
        )
        for number, (day, rows) in enumerate(days.items())
    ]


def every_day(counts: Mapping[dt.date | None, int]) -> dict[dt.date, int]:
    """Return rows by day, with the days between the first and the last that have none."""
    known = {day: rows for day, rows in counts.items() if day is not None}
    if not known:
        return {}
    first, last = min(known), max(known)
    days = (first + dt.timedelta(days=n) for n in range((last - first).days + 1))
    return {day: known.get(day, 0) for day in days}


def unusual_days(days: Mapping[dt.date, int]) -> list[UnusualDay]:
    """Return the days whose rows differ much from those of the same weekday around them.

    Much is a quarter of the median of the four weeks before and after, and four standard deviations
    of a count of that size: a table of few rows a day is not unusual every day. A day without any
    row among days that have some is always unusual.
    """
    found = []
    for day, rows in days.items():
        around = [
            days[other]
            for weeks in range(-_WEEKS, _WEEKS + 1)
            if weeks and (other := day + dt.timedelta(weeks=weeks)) in days
        ]
        usual = median(around) if around else float(rows)
        difference = abs(rows - usual)
        enough = difference > _LEAST_DEVIATIONS * math.sqrt(usual)
        differs = difference > _LEAST_SHARE * usual and enough
        if differs or (rows == 0 and usual > 0):
            found.append(UnusualDay(day, rows, usual))
    return found


def sparkline(values: Sequence[int]) -> str:
    """Return values as a line of block characters, the greatest the tallest; zero is a space."""
    greatest = max(values, default=0)
    return "".join(
        _BLOCKS[min(len(_BLOCKS) - 1, value * len(_BLOCKS) // greatest)] if value else " "
        for value in values
    )


def age_of(instant: dt.datetime | None, now: dt.datetime) -> str:
    """Return the age of an instant as text."""
    if instant is None:
        return "-"
    hours = int((now - instant).total_seconds() // 3600)
    if hours < 0:
        return "ahead"
    for size, unit in _UNITS:
        count = hours // size
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "under 1 hour"


def _volume(reader: TableReader, name: str) -> Volume:
    columns = reader.columns(name)
    event = next((column for column in _EVENTS if column in columns), None)
    day = next((column for column in _DAYS if column in columns), None)
    return Volume(
        table=name,
        rows=reader.count(name),
        days=every_day(reader.counts(name, day)) if day else {},
        newest_event=reader.newest(name, event) if event else None,
        newest_ingest=reader.newest(name, c.INGESTED) if c.INGESTED in columns else None,
    )


def _nothing_ingested(context: RunContext) -> NothingIngestedError:
    return NothingIngestedError(
        f"There is no table in {context.settings.home}: run `make run`, or set ONTIME_HOME to "
        "where it has run."
    )


def _write_figures(home: Path, volumes: Sequence[Volume], now: dt.datetime) -> Path:
    events = [one.newest_event for one in volumes if one.newest_event]
    ingests = [one.newest_ingest for one in volumes if one.newest_ingest]
    figures: dict[str, float | str | bool] = {
        "tables": len(volumes),
        "rows": sum(one.rows for one in volumes),
        "unusual_days": sum(len(one.unusual) for one in volumes),
    }
    if events:
        figures["newest_event"] = max(events).isoformat()
    if ingests:
        age = now - max(ingests)
        figures["newest_ingest"] = max(ingests).isoformat()
        figures["ingest_age_hours"] = round(age.total_seconds() / 3600, 1)
    return write_figures(home, "freshness", figures)


def _day(instant: dt.datetime | None) -> str:
    return "-" if instant is None else f"{instant:%Y-%m-%d}"


def _minute(instant: dt.datetime | None) -> str:
    return "-" if instant is None else f"{instant:%Y-%m-%d %H:%M}"
