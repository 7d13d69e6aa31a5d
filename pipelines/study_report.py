"""What a study found out, as lines for a person at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from training.study import Study, SweepResult


def lines_of(study: Study, proposal: Path | None) -> list[str]:
    """Return the report, line by line.

    Args:
        study: What was found out.
        proposal: The file with better parameters; None if there are none.
    """
    lines = [
        "",
        f"{'On the test part':<31}AUC   {'confidence':<17}naive  calibration  slices  below naive",
    ]
    lines += [
        f"  {each.title:<27} {each.auc.value:>7.4f}   {each.auc.low:.3f} to {each.auc.high:.3f}"
        f"   {each.naive.value:>8.4f} {each.ece:>13.4f} {each.slices:>7}"
        f" {each.slices_below_naive:>12}"
        for each in study.variants
    ]
    lines += ["", "Learned from          AUC on the validate part"]
    lines += [f"  {each.flights:>9,} flights  {each.validate_auc:.4f}" for each in study.sizes]
    if study.sweep is not None:
        lines += ["", *_sweep_lines(study.sweep, proposal)]
    return lines


def _sweep_lines(sweep: SweepResult, proposal: Path | None) -> Iterator[str]:
    yield (
        f"{sweep.name}: {sweep.trials} trials in {sweep.seconds:.0f} s, "
        f"{sweep.pruned} of them stopped early"
    )
    yield f"  on the end of the train part: best {sweep.best_auc:.4f}, in use {sweep.kept_auc:.4f}"
    if sweep.advantage is None:
        yield "  the parameters in use are the best that were tried"
        return
    gain = sweep.advantage
    chosen = ", ".join(f"{name} {value:.4g}" for name, value in sorted(sweep.parameters.items()))
    yield f"  best: {chosen}"
    yield (
        f"  on the validate part it gives AUC {gain.value:+.4f} ({gain.low:+.4f} to "
        f"{gain.high:+.4f}) against those in use"
    )
    if proposal is None:
        yield "  which is not better beyond doubt: nothing is proposed"
    else:
        yield f"  to keep it, put {proposal} into conf/base.yaml, then `make run`"
