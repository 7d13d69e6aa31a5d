"""The gates: decide by a declared policy whether a candidate becomes the challenger, and why.

Pure functions of figures: the evaluation is made here, what concerns the exported model is
measured with the scorer of the service and passed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from training.evaluate.bootstrap import Interval
from training.evaluate.quality_metrics import AUC, CALIBRATION_ERROR

if TYPE_CHECKING:
    from training.evaluate.evaluation import Evaluation
    from training.settings import GatePolicy

_MEGABYTE = 1_000_000


class Rival(msgspec.Struct, frozen=True):
    """The champion on the candidate's test part.

    Attributes:
        version: Its version.
        auc: Its AUC; None if it cannot score these flights.
        advantage: AUC of the candidate above its own, on the same bootstrap samples; None likewise.
        problem: Why it cannot; empty if it can.
        metrics: Every metric of it, by name; empty if it cannot.
        conflicts: Why the two cannot be served side by side; empty if they can.
    """

    version: str
    auc: float | None = None
    advantage: Interval | None = None
    problem: str = ""
    metrics: dict[str, Interval] = {}
    conflicts: tuple[str, ...] = ()


class ExportFigures(msgspec.Struct, frozen=True):
    """The measurements of the exported model with the scorer of the service.

    Attributes:
        flights: How many flights both models scored.
        largest_difference: Largest difference of a probability to the scikit-learn model.
        row_microseconds: Median time to score one row.
        bytes: Size of the file.
        problems: Where its inputs and outputs differ from its contract; empty if nowhere.
    """

    flights: int
    largest_difference: float
    row_microseconds: float
    bytes: int
    problems: tuple[str, ...] = ()


class GateResult(msgspec.Struct, frozen=True):
    """The result of one gate.

    Attributes:
        name: Of the gate.
        passed: Whether the candidate may pass.
        figure: What was measured; None if there was nothing to measure.
        limit: The threshold of the policy; None likewise.
        reason: The same in a sentence.
    """

    name: str
    passed: bool
    figure: float | None
    limit: float | None
    reason: str


class GateDecision(msgspec.Struct, frozen=True):
    """The results of all gates.

    Attributes:
        passed: Whether the candidate passed every gate.
        results: Each gate, in order.
    """

    passed: bool
    results: tuple[GateResult, ...]

    @property
    def refusals(self) -> tuple[str, ...]:
        """The reasons of the gates that refused."""
        return tuple(result.reason for result in self.results if not result.passed)


def decide_gates(
    candidate: Evaluation, champion: Rival | None, export: ExportFigures, policy: GatePolicy
) -> GateDecision:
    """Return whether a candidate passes, with the result of every gate.

    Args:
        candidate: Its evaluation.
        champion: The champion on the same flights; None if there is none.
        export: What was measured of its exported model.
        policy: The limits.
    """
    results = (
        _minimum_auc(candidate, policy),
        _leak(candidate, policy),
        _over_naive(candidate, policy),
        _slices(candidate, policy),
        _calibration(candidate, policy),
        _champion(champion, policy),
        _schema(export),
        _compatible(champion),
        _parity(export, policy),
        _latency(export, policy),
        _size(export, policy),
    )
    return GateDecision(all(result.passed for result in results), results)


def _minimum_auc(candidate: Evaluation, policy: GatePolicy) -> GateResult:
    auc, limit = candidate.model[AUC].value, policy.minimum_auc
    return GateResult("auc", auc >= limit, auc, limit, f"AUC is {auc:.4f}, at least {limit} wanted")


def _leak(candidate: Evaluation, policy: GatePolicy) -> GateResult:
    auc, limit = candidate.model[AUC].value, policy.suspicious_auc
    reason = f"AUC is {auc:.4f}, and from {limit} on a leak of the label is suspected"
    return GateResult("leak", auc < limit, auc, limit, reason)


def _over_naive(candidate: Evaluation, policy: GatePolicy) -> GateResult:
    margin, limit = candidate.over_naive.value, policy.margin_over_naive
    reason = f"AUC is {margin:+.4f} against the naive model, at least +{limit} wanted"
    return GateResult("naive", margin >= limit, margin, limit, reason)


def _slices(candidate: Evaluation, policy: GatePolicy) -> GateResult:
    below = [each for each in candidate.slices if each.auc < each.naive_auc]
    limit = policy.slices_below_naive
    named = ": " + ", ".join(f"{each.by} {each.value}" for each in below) if below else ""
    reason = (
        f"{len(below)} of {len(candidate.slices)} slices are below the naive model{named}; "
        f"at most {limit} may be"
    )
    return GateResult("slices", len(below) <= limit, float(len(below)), float(limit), reason)


def _calibration(candidate: Evaluation, policy: GatePolicy) -> GateResult:
    error, limit = candidate.model[CALIBRATION_ERROR].value, policy.maximum_calibration_error
    reason = f"the expected calibration error is {error:.4f}, at most {limit} wanted"
    return GateResult("calibration", error <= limit, error, limit, reason)


def _champion(champion: Rival | None, policy: GatePolicy) -> GateResult:
    """Refuse a candidate that is significantly worse than the champion, beyond the tolerance."""
    name, limit = "champion", -policy.tolerated_champion_loss
    if champion is None:
        return _nothing_measured(name, "there is no champion to compare with")
    against = f"champion (version {champion.version})"
    if champion.advantage is None:
        reason = f"the {against} cannot score these flights: {champion.problem}"
        return _nothing_measured(name, reason)
    gain = champion.advantage
    lost = gain.high < 0 and gain.value < limit
    reason = (
        f"AUC is {gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f}) against the {against}; "
        f"a loss beyond doubt of more than {policy.tolerated_champion_loss} is refused"
    )
    return GateResult(name, not lost, gain.value, limit, reason)


def _nothing_measured(name: str, reason: str) -> GateResult:
    return GateResult(name, passed=True, figure=None, limit=None, reason=reason)


def _schema(export: ExportFigures) -> GateResult:
    reason = (
        "; ".join(export.problems) or "the exported model takes and gives what its contract names"
    )
    return GateResult("schema", not export.problems, None, None, reason)


def _compatible(champion: Rival | None) -> GateResult:
    name = "compatible"
    if champion is None:
        return _nothing_measured(name, "there is no champion to be served beside")
    beside = f"the champion (version {champion.version})"
    reason = (
        f"it cannot be served beside {beside}: {'; '.join(champion.conflicts)}"
        if champion.conflicts
        else f"what it shares with {beside} means the same in both"
    )
    return GateResult(name, not champion.conflicts, float(len(champion.conflicts)), 0.0, reason)


def _parity(export: ExportFigures, policy: GatePolicy) -> GateResult:
    figure, limit = export.largest_difference, policy.maximum_export_difference
    reason = (
        f"the exported model differs by {figure:.1e} at most over {export.flights:,} flights, "
        f"{limit:.0e} allowed"
    )
    return GateResult("parity", figure <= limit, figure, limit, reason)


def _latency(export: ExportFigures, policy: GatePolicy) -> GateResult:
    figure, limit = export.row_microseconds, policy.maximum_row_microseconds
    reason = f"one row takes {figure:.0f} µs, at most {limit:.0f} µs wanted"
    return GateResult("latency", figure <= limit, figure, limit, reason)


def _size(export: ExportFigures, policy: GatePolicy) -> GateResult:
    figure, limit = export.bytes / _MEGABYTE, policy.maximum_export_megabytes
    reason = f"the exported model has {figure:.1f} MB, at most {limit:.0f} MB wanted"
    return GateResult("size", figure <= limit, figure, limit, reason)
