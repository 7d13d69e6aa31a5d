"""The world of `make bench-run`: the real year without its last day, which is delivered later."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl
import yaml

from benchmarks.real_year import package_csv
from features.silver.raw import FLIGHTS, WEATHER
from ontime_base.configuration import conf_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FILES: Final = {FLIGHTS: "flights.csv.zip", WEATHER: "weather.csv"}
_LAST_DAY: Final = (pl.col("month") == 12) & (pl.col("day") == 31)
_CORRECTED_MONTH: Final = 10
_MINUTES: Final = 5
_NULL: Final = "NA"


@dataclass(frozen=True)
class World:
    """A configuration whose home and source files are in one folder.

    Attributes:
        folder: That folder.
    """

    folder: Path

    @property
    def home(self) -> Path:
        """The home, which the first run creates."""
        return self.folder / "home"

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment variables of a process that works in it."""
        return {
            "ONTIME_HOME": str(self.home),
            "ONTIME_CONF": str(self.folder / "conf"),
            "ONTIME_ENV": "dev",
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.home / 'mlflow.db'}",
            "MLFLOW_LOGGING_LEVEL": "WARNING",
        }

    def file(self, source: str, part: str) -> Path:
        """Return the path of a source file: of the `year`, its last `day`, or a `month`."""
        return self.folder / source / f"{source}-{part}.csv"

    def deliver_day(self) -> int:
        """Put the files of the last day beside the others, and return its flights."""
        rows = 0
        for source in _FILES:
            day = package_csv(_FILES[source]).filter(_LAST_DAY)
            day.write_csv(self.file(source, "day"), null_value=_NULL)
            rows = day.height if source == FLIGHTS else rows
        return rows

    def deliver_corrected_month(self) -> int:
        """Deliver a month of flights again, one in a hundred of which arrived later than reported.

        Returns:
            How many flights it corrects.
        """
        month = (
            package_csv(_FILES[FLIGHTS])
            .filter(pl.col("month") == _CORRECTED_MONTH)
            .with_row_index("row")
        )
        changes = (pl.col("row") % 100 == 0) & pl.col("arr_delay").is_not_null()
        later = (pl.col("arr_delay").cast(pl.Int32) + _MINUTES).cast(pl.String)
        delay = pl.when(changes).then(later).otherwise("arr_delay")
        corrected = month.with_columns(arr_delay=delay).drop("row")
        corrected.write_csv(self.file(FLIGHTS, "month"), null_value=_NULL)
        return int(month.select(changes.sum()).item())

    def remove(self) -> None:
        """Remove it: tables and models are half a gigabyte."""
        shutil.rmtree(self.folder, ignore_errors=True)


def fresh_world(folder: Path) -> World:
    """Write the source files and the configuration of a world; what was there is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    world = World(folder)
    for source in _FILES:
        (folder / source).mkdir(parents=True)
        year = package_csv(_FILES[source]).filter(~_LAST_DAY)
        year.write_csv(world.file(source, "year"), null_value=_NULL)
    shutil.copytree(conf_folder(), folder / "conf")
    dev = folder / "conf" / "dev.yaml"
    settings = yaml.safe_load(dev.read_text(encoding="utf-8"))
    settings["sources"] = {source: str(folder / source) for source in _FILES}
    dev.write_text(yaml.safe_dump(settings), encoding="utf-8")
    world.home.mkdir()
    return world
