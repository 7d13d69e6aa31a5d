"""`make prove-no-leak`: no feature of any flight knows what is not known at its prediction time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from features import columns as c
from features.catalog import FEATURES
from features.counterfactual import World
from features.planted_leaks import PLANTED
from features.prover import branches, instants_of, middle_of, prove
from features.table import features_table
from pipelines.command import parser_of, run_command
from pipelines.figures import write_figures
from pipelines.leak_report import LeakReport, utc_text
from pipelines.runner import run_stage
from pipelines.stages import Parameter, stage_named

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

    from features.prover import Branch
    from pipelines.console import Console
    from pipelines.context import RunContext

NAMES = tuple(feature.name for feature in FEATURES)
PLANTED_INSTANTS = 12
PARAMETERS = (
    Parameter(name="instants", kind=int, help="instants over the whole time", default=24),
    Parameter(name="seed", kind=int, help="other instants, other worlds", default=1),
    *(p for p in stage_named("build_features").parameters if p.name == "horizon_min"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Prove it, and return the exit code: 1 if a feature leaks or a planted leak is missed."""
    parser = parser_of("python -m pipelines.prove_no_leak", __doc__ or "", PARAMETERS)
    return run_command(parser, PARAMETERS, work, argv)


def work(context: RunContext, arguments: argparse.Namespace) -> None:
    """Ingest if there is no silver, look for leaks, print the report and write its figures.

    Raises:
        LeakError: A feature leaks, or a planted leak is missed.
    """
    if not context.tables.exists("silver_flights"):
        run_stage(stage_named("ingest"), context)
    # Sorted, so that a seed gives the same worlds however the rows were written.
    flights = context.tables.read("silver_flights").orderBy(c.FLIGHT_ID).toArrow()
    weather = context.tables.read("silver_weather").orderBy(c.AIRPORT, c.OBSERVED).toArrow()
    world, part = World(flights, weather), middle_of(World(flights, weather))
    horizon_min, seed = context.settings.features.horizon_min, arguments.seed
    instants = instants_of(world, arguments.instants, horizon_min=horizon_min, seed=seed)
    others = _told(branches(world, instants, seed=seed), len(instants), context.console)
    proof = prove(world, others, features_table, features=NAMES, horizon_min=horizon_min)
    instants = instants_of(part, PLANTED_INSTANTS, horizon_min=horizon_min, seed=seed)
    few = tuple(branches(part, instants, seed=seed))
    found = [
        prove(part, few, leak.compute, features=leak.names, horizon_min=horizon_min)
        for leak in PLANTED
    ]

    report = LeakReport(len(NAMES), proof, tuple(zip(PLANTED, found, strict=True)))
    path = write_figures(context.settings.home, "prove-no-leak", report.figures())
    for line in (*report.lines(), "", f"figures: {path}"):
        context.console.say(line)
    report.require_clean()


def _told(others: Iterable[Branch], count: int, console: Console) -> Iterator[Branch]:
    for number, branch in enumerate(others, start=1):
        console.step(f"instant {number} of {count}: {utc_text(branch.instant)}")
        yield branch


if __name__ == "__main__":
    sys.exit(main())
