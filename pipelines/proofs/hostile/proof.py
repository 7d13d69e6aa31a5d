"""`make hostile`: no input and no outage of the list takes others with it or loses a prediction.

The cases run against `ontime serve` in processes of its own, over a copy of the released model. To
add a case, write a public function with one argument, the `World`, in the module of its kind: its
name is the case, and it raises `NotHeldError` (see `require`) when the service does not hold.
"""

from __future__ import annotations

import inspect
import logging
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ontime_base.errors import OntimeError
from pipelines.proofs.hostile import (
    clients,
    clocks,
    decisions,
    grounds,
    messages,
    outages,
    people,
    processes,
    strangers,
    words,
)
from pipelines.proofs.hostile.running import copy_release
from pipelines.proofs.hostile.world import World
from pipelines.runtime.figures import write_figures

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    from pipelines.runtime.context import RunContext

KINDS: Final[Sequence[ModuleType]] = (
    messages,
    clocks,
    decisions,
    people,
    strangers,
    outages,
    clients,
    grounds,
    words,
    processes,
)
"""One module for each kind of case; the first line of its docstring names the kind."""
WORST_HEAD_MEMORY: Final = "worst_head_memory_mb"


class HostileError(OntimeError):
    """The service did not hold in a case, or lost a prediction that it had acknowledged."""


@dataclass(frozen=True, slots=True)
class Case:
    """One hostile case.

    Attributes:
        kind: What it is about.
        name: What the service does.
        run: Does it, and raises when the service does not hold.
    """

    kind: str
    name: str
    run: Callable[[World], None]


def all_cases(kinds: Sequence[ModuleType] = KINDS) -> list[Case]:
    """Return the cases of all kinds, in the order of their modules."""
    return [
        Case((kind.__doc__ or "").partition("\n")[0].rstrip("."), name.replace("_", " "), function)
        for kind in kinds
        for name, function in vars(kind).items()
        if inspect.isfunction(function)
        and function.__module__ == kind.__name__
        and not name.startswith("_")
    ]


def prove_hostile(
    context: RunContext, *, only: str = "", cases: Sequence[Case] | None = None
) -> None:
    """Run the cases against a running service, print and write what was found.

    Args:
        context: What every stage is given.
        only: Runs the cases whose kind or name contains this text.
        cases: The cases; all that there are unless given.

    Raises:
        HostileError: A case did not hold, or an acknowledged prediction was lost.
    """
    started = time.perf_counter()
    chosen = [
        each
        for each in (all_cases() if cases is None else cases)
        if only.lower() in f"{each.kind}: {each.name}".lower()
    ]
    if not chosen:
        raise HostileError(f"No case contains '{only}': leave --only out to list all of them.")
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="ontime-hostile-") as folder:
        world = World(Path(folder) / "released", Path(folder))
        copy_release(context, world.pristine)
        with world.own_service() as world.service:
            for each in chosen:
                begun = time.perf_counter()
                reason = _reason(each, world)
                outcome = "held  " if reason is None else "FAILED"
                seconds = time.perf_counter() - begun
                context.console.say(f"{outcome} {seconds:5.1f} s  {each.name}")
                if reason is not None:
                    failed.append(f"{each.name}: {reason}")
                    context.console.step(reason)
    figures: dict[str, float | str | bool] = {
        "cases": len(chosen),
        "held": len(chosen) - len(failed),
        "acknowledged": world.acknowledged,
        "acknowledged_lost": len(world.lost),
        WORST_HEAD_MEMORY: round(world.figures.get(WORST_HEAD_MEMORY, 0.0), 1),
        "seconds": round(time.perf_counter() - started, 1),
    }
    say = context.console.say
    say(f"{figures['held']} of {len(chosen)} cases held")
    say(f"{world.acknowledged:,} predictions were acknowledged, {len(world.lost)} of them lost")
    say(f"figures: {write_figures(context.settings.home, 'hostile', figures)}")
    if failed or world.lost:
        raise HostileError(
            f"{len(failed)} cases did not hold and {len(world.lost)} predictions were lost, such "
            f"as '{(failed or sorted(world.lost))[0]}': run one case alone with --only."
        )


def _reason(case: Case, world: World) -> str | None:
    """Return why a case did not hold; None when it held."""
    logging.disable(logging.CRITICAL)  # of functions that a case calls in this process
    try:
        case.run(world)
    except Exception as error:  # noqa: BLE001 - whatever a case raises, it did not hold
        return f"{type(error).__name__}: {error}"
    finally:
        logging.disable(logging.NOTSET)
    code = world.service.process.poll()
    return None if code is None else f"the service ended with code {code}"
