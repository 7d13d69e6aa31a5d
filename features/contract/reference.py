"""The feature reference, docs/features.md, written from the declarations.

`python -m features.contract.reference` prints it, `--write` writes the file, `--check` fails if it
drifts.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from features.catalog import FEATURES
from features.declare.declarations import (
    MINUTES_PER_DAY,
    Days,
    Entity,
    Feature,
    Input,
    Latest,
    Minutes,
    OpenIntervals,
    Own,
    UntilDeparture,
)
from features.declare.streams import (
    CANCELLATION_KNOWN_AFTER_MIN,
    COUNT,
    DIVERSION_KNOWN_AFTER_MIN,
    LATE_FROM_MIN,
    MAX_EVENT_LAG_MIN,
    OVERDUE_FOR_MIN,
    PUBLISHED_AHEAD_MIN,
    STREAMS,
    WEATHER_KNOWN_AFTER_MIN,
    Stream,
    known_when,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "features.md"
_HEADER: Final = (
    "Feature",
    "Type",
    "Unit",
    "Entity",
    "Window",
    "Known at",
    "Range",
    "Missing means",
    "Definition",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Print, write or check the page; return 1 if the file says something else."""
    parser = argparse.ArgumentParser(
        prog="python -m features.contract.reference", description=__doc__
    )
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    parser.add_argument("--check", action="store_true", help=f"fail if {PAGE.name} drifts")
    arguments = parser.parse_args(argv)
    page = reference(FEATURES)
    if arguments.write:
        PAGE.write_text(page, encoding="utf-8")
    elif not arguments.check:
        sys.stdout.write(page)
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page:
        sys.stderr.write(
            f"{PAGE} does not say what is declared: "
            "run `python -m features.contract.reference --write`.\n"
        )
        return 1
    return 0


def reference(features: Sequence[Feature]) -> str:
    """Return the reference of these features as Markdown, family by family."""
    families = dict.fromkeys(feature.family for feature in features)
    parts = [_introduction(len(features)), _streams()]
    for family in families:
        rows = [_row(feature) for feature in features if feature.family == family]
        parts.append(f"## {family.capitalize()}\n\n{_table(_HEADER, rows)}")
    return "\n".join(parts)


def _introduction(count: int) -> str:
    return f"""\
<!-- Written by `python -m features.contract.reference --write` from features/catalog; a test fails
drifts. Do not edit. -->
# Features

There are {count} features, each declared once in `features/catalog/`. One row is one flight.

- **Prediction time**: the scheduled departure less the horizon (`features.horizon_min` in conf/).
  A feature is computed from what is known before that minute; what becomes known in that very
  minute, or later, is not used.
- **Event time and known-at time** are different columns of silver. A window is over known-at
  times: an event counts from when it was known, not from when it happened. `make prove-no-leak`
  changes everything that becomes known later and shows that no feature changes.
- **Entity**: a feature is over the events that have the same values as the flight in these
  columns. A sum is 0, and a latest value missing, when the flight has none (no tail number).
- **Window**: `from` counts, `to` does not. Whole days are UTC days, today is none of them.
- **Late** is {LATE_FROM_MIN} minutes or more.

What is assumed about knowing, because the sources do not tell:

- The schedule (times, airports, carrier, flight number) is known \
{_span(PUBLISHED_AHEAD_MIN)} before the scheduled departure.
- The tail number is taken as known with the schedule, yet the source gives the aircraft that flew:
  a swap after the prediction time shows in the features of the family *tail*, and a model can be
  trained without them (`training.without_families`).
- A departure and an arrival are known at the minute they happen.
- A cancellation is known {_span(CANCELLATION_KNOWN_AFTER_MIN)} after the scheduled departure, a \
diversion {_span(DIVERSION_KNOWN_AFTER_MIN)} after the scheduled arrival.
- The weather row of an hour is known {_span(WEATHER_KNOWN_AFTER_MIN)} after the hour begins.
- What happens to a flight counts from its own prediction time at the earliest: no flight sees its
  own events (docs/adr/0009).
- An event known more than {_span(MAX_EVENT_LAG_MIN)} after its flight's scheduled departure does
  not count, and a flight is overdue for {_span(OVERDUE_FOR_MIN)} at most: so every look-back ends.
"""


def _streams() -> str:
    rows = [
        (
            f"`{stream.name}`",
            f"silver_{stream.table}",
            _known_words(stream),
            ", ".join(f"`{name}`" for name in (COUNT, *(m.name for m in stream.measures))),
        )
        for stream in STREAMS.values()
    ]
    return f"## Streams\n\n{_table(('Stream', 'Table', 'An event counts', 'Measures'), rows)}"


def _known_words(stream: Stream) -> str:
    if stream.until:
        ends = ", ".join(f"`{column}`" for column in stream.until)
        return f"from `{stream.at}` to the first of {ends}, {_span(OVERDUE_FOR_MIN)} at most"
    late = [f"`{m.name}` from `{m.known_at}`" for m in stream.measures if m.known_at]
    return ", ".join([f"at `{stream.at}`" + (", known ahead" if stream.published else ""), *late])


def _row(feature: Feature) -> tuple[str, ...]:
    return (
        f"`{feature.name}`",
        feature.dtype,
        feature.unit,
        _entity_words(feature),
        "; ".join(dict.fromkeys(filter(None, map(_window_words, feature.inputs)))) or "-",
        known_when(feature),
        _range_words(feature),
        feature.null,
        feature.definition,
    )


def _entity_words(feature: Feature) -> str:
    entities: dict[Entity, None] = dict.fromkeys(
        item.entity for item in feature.inputs if not isinstance(item, Own)
    )
    return "; ".join(", ".join(entity) or "all flights" for entity in entities) or "the flight"


def _window_words(item: Input) -> str:
    match item:
        case Own():
            return ""
        case OpenIntervals():
            return "open at the prediction time"
        case Latest():
            before = f"{_span(item.ago_min)} before " if item.ago_min else ""
            return f"latest in {_span(item.within_min)} up to {before}{_anchor(item.anchor)}"
    match item.window:
        case Days():
            return f"{item.window.count} whole days before the prediction time"
        case UntilDeparture():
            return "from the prediction time to the scheduled departure"
        case Minutes():
            before, after = _span(item.window.before), item.window.after
            end = f", to {_span(after - 1)} after it" if after else ""
            return f"{before} before {_anchor(item.window.anchor)}{end}"


def _anchor(anchor: str) -> str:
    return "the prediction time" if anchor == "prediction" else "the scheduled departure"


def _range_words(feature: Feature) -> str:
    least, most = feature.minimum, feature.maximum
    if least is None and most is None:
        return "-"
    if most is None:
        return f"≥ {least:g}"
    return f"≤ {most:g}" if least is None else f"{least:g} to {most:g}"


def _span(minutes: int) -> str:
    """Return minutes in the unit that reads best."""
    if minutes % MINUTES_PER_DAY == 0:
        return f"{minutes // MINUTES_PER_DAY} d"
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (header, ["---"] * len(header), *rows)
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
