"""`make prove-no-leak`: no feature of any flight uses what is unknown at its prediction time.

Silver is changed from some instants on, and the features of the flights predicted before must stay
equal (`features.leaks.prover`). Features with a planted leak show that the prover finds leaks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from features.catalog import FEATURES
from features.declare import columns as c
from features.leaks.counterfactual import Dataset
from features.leaks.planted_leaks import PLANTED
from features.leaks.prover import (
    counterfactuals,
    draw_instants,
    middle_days,
    prove,
)
from features.offline.feature_table import features_table
from ontime_base.errors import OntimeError
from pipelines.runtime.figures import write_figures
from pipelines.runtime.runner import run_stage
from pipelines.stages import stage_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from features.leaks.planted_leaks import PlantedLeak
    from features.leaks.prover import (
        Counterfactual,
        Leak,
        Proof,
    )
    from pipelines.runtime.console import Console
    from pipelines.runtime.context import RunContext
    from pipelines.stages import Stage
    from pipelines.tables.table_reader import TableReader

NAMES: Final = tuple(feature.name for feature in FEATURES)
PLANTED_INSTANTS: Final = 12
_SHOWN_LEAKS: Final = 20


class LeakError(OntimeError):
    """A feature leaks, or the prover misses a planted leak."""


def prove_no_leak(
    context: RunContext,
    *,
    count: int = 24,
    seed: int = 1,
    ingest: Callable[[Stage, RunContext], object] = run_stage,
) -> None:
    """Ingest if there is no silver, look for leaks, print the report and write its figures.

    Args:
        context: What every stage is given.
        count: How many instants, over the whole time.
        seed: Chooses the instants and the changed data.
        ingest: Runs the stage.

    Raises:
        LeakError: A feature leaks, or a planted leak is missed.
    """
    if not context.reader.exists("silver_flights"):
        ingest(stage_named("ingest"), context)
    # Sorted, so that a seed gives the same changes however the rows were written.
    flights = _whole(context.reader, "silver_flights", c.FLIGHT_ID)
    weather = _whole(context.reader, "silver_weather", c.AIRPORT, c.OBSERVED)
    whole = Dataset(flights, weather)
    report = look_for_leaks(
        whole,
        horizon_min=context.settings.features.horizon_min,
        count=count,
        seed=seed,
        console=context.console,
    )
    path = write_figures(context.settings.home, "prove-no-leak", report.figures())
    for line in (*report.lines(), "", f"figures: {path}"):
        context.console.say(line)
    report.require_clean()


def _whole(reader: TableReader, name: str, *order: str) -> pa.Table:
    return reader.rows(name, reader.columns(name)).sort_by([(each, "ascending") for each in order])


def look_for_leaks(
    whole: Dataset, *, horizon_min: int, count: int, seed: int, console: Console
) -> LeakReport:
    """Return the proof of the declared features, and of the planted leaks on some of the days."""
    instants = draw_instants(whole, count, horizon_min=horizon_min, seed=seed)
    changed = _with_progress(counterfactuals(whole, instants, seed=seed), len(instants), console)
    proof = prove(whole, changed, features_table, features=NAMES, horizon_min=horizon_min)
    part = middle_days(whole)
    instants = draw_instants(part, PLANTED_INSTANTS, horizon_min=horizon_min, seed=seed)
    few = tuple(counterfactuals(part, instants, seed=seed))
    planted = [
        prove(part, few, leak.compute, features=leak.names, horizon_min=horizon_min)
        for leak in PLANTED
    ]
    return LeakReport(len(NAMES), proof, tuple(zip(PLANTED, planted, strict=True)))


@dataclass(frozen=True)
class LeakReport:
    """The proof of the declared features, and the result for each planted leak.

    Attributes:
        features: How many features are declared.
        proof: What was found in them.
        planted: Each planted leak with what was found in it.
    """

    features: int
    proof: Proof
    planted: Sequence[tuple[PlantedLeak, Proof]]

    @property
    def missed(self) -> tuple[str, ...]:
        """Names of the planted leaks that were not caught."""
        return tuple(planted.name for planted, proof in self.planted if not proof.leaks)

    def figures(self) -> Mapping[str, int]:
        """Return the figures; `leaks` and `tested` count declared features."""
        return {
            "features": self.features,
            "instants": len(self.proof.instants),
            "values": self.proof.compared,
            "tested": len(self.proof.tested),
            "leaks": len(self.proof.leaking),
            "planted": len(self.planted),
            "caught": len(self.planted) - len(self.missed),
        }

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        proof, figures = self.proof, self.figures()
        untested = self.features - len(proof.tested)
        return [
            f"{self.features} features, {len(proof.instants)} instants, {proof.compared:,} values:",
            f"  {figures['leaks']:>4} changed with what became known then or later",
            f"  {len(proof.tested):>4} changed for flights predicted after it, as they should",
            f"  {untested:>4} changed for none: what they read was published before",
            *(f"  leak: {leak_line(leak)}" for leak in proof.leaks[:_SHOWN_LEAKS]),
            "",
            f"{figures['caught']} of {figures['planted']} planted leaks caught:",
            *(
                f"  {'caught' if found.leaks else 'MISSED':<8}{planted.name:<29}{planted.mistake}"
                for planted, found in self.planted
            ),
        ]

    def require_clean(self) -> None:
        """Do nothing if no feature leaks and every planted leak was caught.

        Raises:
            LeakError: Names the features that leak, or the leaks that were missed.
        """
        if self.proof.leaks:
            names = ", ".join(self.proof.leaking)
            raise LeakError(
                f"Features that use later knowledge: {names}. Bound each of their inputs by when "
                "it is known (the leaks above name flight and instant)."
            )
        if self.missed:
            raise LeakError(
                f"Planted leaks that were not caught: {', '.join(self.missed)}. Look at more "
                "--instants; if that does not help, the prover is wrong and so is its proof."
            )


def leak_line(leak: Leak) -> str:
    """Return a leak as a line of text."""
    return (
        f"{leak.feature} of {leak.flight_id} was {leak.before}, and {leak.after} when what is "
        f"known from {utc_text(leak.instant)} on differs ({leak.flights:,} flights)"
    )


def utc_text(minutes: int) -> str:
    """Return an instant, in minutes since the epoch, as text."""
    return f"{datetime.fromtimestamp(minutes * 60, tz=UTC):%Y-%m-%d %H:%MZ}"


def _with_progress(
    changed: Iterable[Counterfactual], count: int, console: Console
) -> Iterator[Counterfactual]:
    for number, each in enumerate(changed, start=1):
        console.step(f"instant {number} of {count}: {utc_text(each.instant)}")
        yield each
