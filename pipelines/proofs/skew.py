"""`make skew-proof`: online and offline features and probabilities of every flight are equal.

The year is replayed in some processes, each for a part of the time (`pipelines.proofs.replay`), and
compared with the feature table and the probabilities of the trained model.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays.arrow import FLIGHT_COLUMNS, WEATHER_COLUMNS, to_minutes
from features.contract.feature_contract import selected
from features.declare import columns as c
from features.offline.feature_table import gold_arrow_schema
from ontime_base.errors import OntimeError
from pipelines.online.materialize import network_of
from pipelines.proofs.replay import (
    EXPECTED,
    FLIGHTS,
    PROBABILITY,
    WEATHER,
    Replayed,
    ReplayPart,
    count_replayed,
    replay,
)
from pipelines.run import run_pipeline
from pipelines.runtime.figures import write_figures
from serving.models.release_document import read_release
from serving.settings import artifact_store_uri
from training.data.samples import to_sample
from training.tracking.run_log import load_models

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.runtime.context import RunContext
    from serving.models.release_document import ReleasedVersion

_REPORT_SECONDS: Final = 30


class SkewError(OntimeError):
    """Online and offline features or probabilities differ."""


def prove_no_skew(context: RunContext, *, processes: int = 2) -> None:
    """Run the pipeline if nothing is released, replay all flights, print and write what was found.

    Args:
        context: What every stage is given.
        processes: How many, each for a part of the time.

    Raises:
        SkewError: A flight differs.
    """
    if read_release(context.artifacts) is None:
        run_pipeline(context)
    stored = read_release(context.artifacts)
    champion = None if stored is None else stored.document.champion
    if champion is None:
        raise SkewError("No version is the champion: let one be promoted first (`make run`).")
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="ontime-skew-proof-") as folder:
        parts = _prepared(context, Path(folder), champion, processes)
        context.console.step(f"replaying in {len(parts)} processes")
        found = _replayed(parts, context.console.step)
    seconds = time.perf_counter() - started
    _report(context, found, seconds)
    if found.equal.total() != found.flights.total():
        raise SkewError(
            f"{found.flights.total() - found.equal.total():,} flights differ: the features named "
            "above have two definitions; compare features/offline/kernel.py with "
            "features/online/lookup_plan.py."
        )


def _prepared(
    context: RunContext, folder: Path, champion: ReleasedVersion, processes: int
) -> list[ReplayPart]:
    """Write what the processes read, and return their parts of the time."""
    tables, settings = context.reader, context.settings
    network = network_of(tables)
    silver = tables.rows("silver_flights", FLIGHT_COLUMNS).sort_by(c.FLIGHT_ID)
    weather = tables.rows("silver_weather", WEATHER_COLUMNS)
    gold = context.outputs("build_features")
    name, version = str(gold["table"]), int(gold["version"])
    expected = tables.rows(name, gold_arrow_schema().names, version=version)
    context.console.step(f"scoring {len(expected):,} flights of the feature table")
    expected = _with_probabilities(context, expected, champion.version)
    for name, table in ((FLIGHTS, silver), (WEATHER, weather), (EXPECTED, expected)):
        with (
            pa.OSFile(str(folder / name), "wb") as sink,
            pa.ipc.new_file(sink, table.schema) as out,
        ):
            out.write_table(table)
    at = np.sort(to_minutes(expected[c.PREDICTION_TIME]))
    cuts = [int(at[len(at) * part // processes]) for part in range(processes)]
    return [
        ReplayPart(
            folder=str(folder),
            since=since,
            until=until,
            store_uri=artifact_store_uri(settings.serving, settings.home),
            model=settings.serving.model_name,
            version=champion.version,
            network=msgspec.msgpack.encode(network),
        )
        for since, until in zip(cuts, [*cuts[1:], int(at[-1]) + 1], strict=True)
    ]


def _with_probabilities(context: RunContext, gold: pa.Table, version: str) -> pa.Table:
    """Return the feature table with the probabilities of the scikit-learn model."""
    model, _, contract = load_models(context.tracking, context.registry.get(version).run_id)
    order = [(c.SCHEDULED_DEPARTURE, "ascending"), (c.FLIGHT_ID, "ascending")]
    gold = gold.sort_by(order)
    labels = pc.fill_null(gold[c.LABEL], 0)  # flights that did not arrive are scored too
    at = gold.schema.get_field_index(c.LABEL)
    features = selected(spec.name for spec in contract.features)
    sample = to_sample(gold.set_column(at, c.LABEL, labels), features)
    found = pa.array(model.probabilities(sample.features))
    return gold.append_column(PROBABILITY, found)


def _replayed(parts: list[ReplayPart], step: Callable[[str], None]) -> Replayed:
    found = Replayed()
    spawned = multiprocessing.get_context("spawn")
    flights = spawned.Value("q", 0)
    with ProcessPoolExecutor(
        len(parts), mp_context=spawned, initializer=count_replayed, initargs=(flights,)
    ) as pool:
        replayed = [pool.submit(replay, part) for part in parts]
        while wait(replayed, timeout=_REPORT_SECONDS).not_done:
            step(f"{flights.value:,} flights replayed")
        for each in replayed:
            found.add(each.result())
    return found


def _report(context: RunContext, found: Replayed, seconds: float) -> None:
    flights, equal = found.flights.total(), found.equal.total()
    say = context.console.say
    say("month      flights     equal")
    for month, count in sorted(found.flights.items()):
        say(f"{month}  {count:9,} {found.equal[month]:9,}")
    say(f"in all   {flights:9,} {equal:9,}   {found.events:,} events, {seconds:.0f} s")
    for name, count in found.unequal_features.most_common():
        say(f"  {name}: not the same for {count:,} flights")
    for example in found.examples:
        say(f"  {example}")
    say(
        f"{found.features} features; greatest difference of a probability: {found.max_difference:g}"
    )
    figures: dict[str, float | str | bool] = {
        "flights": flights,
        "equal": equal,
        "max_difference": found.max_difference,
        "features": found.features,
        "unequal_features": len(found.unequal_features),
        "events": found.events,
        "seconds": round(seconds, 1),
    }
    say(f"figures: {write_figures(context.settings.home, 'skew-proof', figures)}")
