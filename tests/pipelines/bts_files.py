"""Files as the US Bureau of Transportation Statistics lays them out, from rows of our schema."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

# Ours, and how the three layouts call it; the rest of their columns hold nothing that we read.
MONTHLY = {
    "carrier": "Reporting_Airline",
    "flight": "Flight_Number_Reporting_Airline",
    "tailnum": "Tail_Number",
    "origin": "Origin",
    "dest": "Dest",
    "sched_dep_time": "CRSDepTime",
    "dep_time": "DepTime",
    "dep_delay": "DepDelay",
    "sched_arr_time": "CRSArrTime",
    "arr_time": "ArrTime",
    "arr_delay": "ArrDelay",
    "air_time": "AirTime",
    "distance": "Distance",
}
OLD_MONTHLY = MONTHLY | {"carrier": "UniqueCarrier", "flight": "FlightNum", "tailnum": "TailNum"}
SELECTED = {
    "carrier": "OP_UNIQUE_CARRIER",
    "flight": "OP_CARRIER_FL_NUM",
    "tailnum": "TAIL_NUM",
    "origin": "ORIGIN",
    "dest": "DEST",
    "sched_dep_time": "CRS_DEP_TIME",
    "dep_time": "DEP_TIME",
    "dep_delay": "DEP_DELAY",
    "sched_arr_time": "CRS_ARR_TIME",
    "arr_time": "ARR_TIME",
    "arr_delay": "ARR_DELAY",
    "air_time": "AIR_TIME",
    "distance": "DISTANCE",
}
_CLOCKS = {"sched_dep_time", "dep_time", "sched_arr_time", "arr_time"}
_NUMBERS = {"dep_delay", "arr_delay", "air_time", "distance"}
ELSEWHERE = {"Origin": "ATL", "ORIGIN": "ATL"}


def bts_rows(
    rows: Iterable[Mapping[str, str]], names: Mapping[str, str]
) -> Iterable[dict[str, str]]:
    """Yield rows of ours under their names, with clocks as 0517 and numbers as -5.00."""
    for row in rows:
        theirs = {names[ours]: _value(ours, row[ours]) for ours in names}
        year, month, day = (int(row[name]) for name in ("year", "month", "day"))
        cancelled = "1.00" if row["dep_time"] == "NA" else "0.00"
        if names is SELECTED:
            theirs["FL_DATE"] = f"{month}/{day}/{year} 12:00:00 AM"
            theirs["CANCELLED"] = cancelled
        else:
            theirs |= {"Year": str(year), "Month": str(month), "DayofMonth": str(day)}
            theirs["FlightDate"] = f"{year}-{month:02}-{day:02}"
            theirs |= {"Cancelled": cancelled, "CancellationCode": ""}
            theirs |= {f"Div{n}Airport": "" for n in range(1, 6)}  # some of the other columns
        yield theirs


def _value(ours: str, text: str) -> str:
    if text == "NA":
        return ""
    if ours in _CLOCKS:
        return text.zfill(4)
    return f"{float(text):.2f}" if ours in _NUMBERS else text


def bts_csv(rows: Iterable[Mapping[str, str]], names: Mapping[str, str], *, others: int = 0) -> str:
    """Return such a file; after every third row comes one of Atlanta, `others` times at most.

    As in theirs, every line ends with a comma: a last column without name or value.
    """
    theirs = list(bts_rows(rows, names))
    text = io.StringIO()
    columns = list(theirs[0])
    writer = csv.DictWriter(text, columns, quoting=csv.QUOTE_NONNUMERIC, lineterminator=",\n")
    writer.writeheader()
    for number, row in enumerate(theirs):
        writer.writerow(row)
        if number % 3 == 0 and others:
            others -= 1
            writer.writerow(row | {key: value for key, value in ELSEWHERE.items() if key in row})
    return text.getvalue()


def monthly_zip(path: Path, text: str) -> Path:
    """Write the archive of a month: the CSV file, and the page that explains it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(path.name.replace(".zip", ".csv"), text)
        archive.writestr("readme.html", "<html>On-time performance</html>")
    return path
