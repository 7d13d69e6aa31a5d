"""The skew proof of half a day, as the command does it: two processes, real tables, a real run."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from benchmarks.real_year import _ATLANTIC, package_csv
from features.declare import columns as c
from features.offline.feature_table import features_table
from pipelines.proofs.skew import SkewError, prove_no_skew
from serving.models.release_document import ReleasedVersion
from tests.features.real_weeks import real_weeks
from tests.pipelines.made_tables import write_table
from tests.pipelines.real_parts import TRAINING, real_part
from tests.pipelines.scored_world import release_small_model, small_model
from tests.serving.support import release
from tests.training.made import LINEAGE
from training.tracking.run_log import log_training
from training.tracking.tracking_store import Tracking

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.runtime.context import RunContext
    from tests.pipelines.conftest import Recorded

SINCE = dt.datetime(2013, 11, 5, 10, tzinfo=dt.UTC)
UNTIL = SINCE + dt.timedelta(hours=7)
GOLD = "gold_features_h120"


@pytest.fixture
def released(recorded: Recorded, empty_store: Path, tmp_path: Path) -> RunContext:
    """Return a context with silver and gold of some hours, and a small model that is released."""
    world, home = real_weeks(), recorded.context.settings.home
    at, seen = pc.field(c.SCHEDULED_DEPARTURE), pc.field(c.KNOWN)
    flights = world.flights.filter((at >= SINCE) & (at < UNTIL))
    weather = world.weather.filter((seen >= SINCE) & (seen < UNTIL))
    every = np.ones(flights.num_rows, dtype=np.bool_)
    gold = features_table(flights, weather, every, horizon_min=120)
    for name, rows in (("silver_flights", flights), ("silver_weather", weather), (GOLD, gold)):
        write_table(home, name, rows)
    write_table(home, "silver_airports", airports())
    recorded.record("build_features", table=GOLD, version=0)
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    tracking = Tracking(
        f"sqlite:///{tmp_path / 'mlflow.db'}", "ontime", (tmp_path / "runs").as_uri()
    )
    with tracking.open_run("small", tags={}) as run_id:
        log_training(
            tracking,
            run_id,
            trained=small_model(),
            example=real_part("validate"),
            lineage=LINEAGE,
            settings=TRAINING,
        )
    recorded.registry.register(run_id)
    release_small_model(recorded.context.artifacts)
    return recorded.context.using(tracking=tracking)


def airports() -> list[dict[str, str]]:
    """Return the airports of the real year with their time zones."""
    known = package_csv("airports.csv").to_dicts()
    zones = {row["faa"]: row["tzone"] for row in known if row["tzone"]}
    zones |= dict.fromkeys(_ATLANTIC, "America/Puerto_Rico")
    return [{c.AIRPORT: name, "timezone": zone} for name, zone in zones.items()]


def test_every_flight_is_requested_and_a_difference_fails_the_proof(released: RunContext) -> None:
    # Given hours of flights and their feature table, When the proof is requested
    prove_no_skew(released, processes=2)
    # Then every flight was compared in one of the processes, and all are equal
    home = released.settings.home
    figures = json.loads((home / "figures" / "skew-proof.json").read_text())
    assert figures["flights"] == figures["equal"] == released.reader.count(GOLD) > 200
    assert figures["unequal_features"] == 0
    assert figures["max_difference"] <= 1e-6
    assert figures["events"] > 3 * figures["flights"]
    # When one value of one flight in the feature table is another one
    gold = released.reader.rows(GOLD, released.reader.columns(GOLD))
    minutes = gold["departure_minute"].to_pylist()
    at = gold.schema.get_field_index("departure_minute")
    changed = pa.array([minutes[0] + 1, *minutes[1:]], pa.float64())
    write_table(home, GOLD, gold.set_column(at, "departure_minute", changed))
    before = released.records.require("build_features")
    outputs = {"table": GOLD, "version": 1}
    released.records.write("build_features", msgspec.structs.replace(before, outputs=outputs))
    # Then the proof fails for that flight
    with pytest.raises(SkewError, match=r"1 flights differ"):
        prove_no_skew(released, processes=2)
    figures = json.loads((home / "figures" / "skew-proof.json").read_text())
    assert figures["equal"] == figures["flights"] - 1


def test_without_a_champion_there_is_nothing_to_compare(recorded: Recorded) -> None:
    # Given a version that is only the challenger
    store = recorded.context.artifacts
    release(store, None, ReleasedVersion("1", "d" * 64))
    # When the proof is requested, Then the error names the way out
    with pytest.raises(SkewError, match=r"No version is the champion.*make run"):
        prove_no_skew(recorded.context)
