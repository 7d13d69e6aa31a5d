"""The interface of scorers, the errors they raise, and the self-test that each model must pass."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from ontime_base.errors import OntimeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.models.model_package import SelfTest

FeatureValue: TypeAlias = float | str | None

TOLERANCE: Final = 1e-6


class ScorerError(OntimeError):
    """A model cannot be loaded, or its probabilities are not those that it gave when exported."""


class RowScorer(Protocol):
    """Scores rows of feature values with one exported model, on the calling thread alone."""

    def score(self, rows: Sequence[Sequence[FeatureValue]]) -> list[float]:
        """Return the probability of a late arrival, 0 to 1, of each row.

        Args:
            rows: Feature values in the order of the contract; None or NaN is missing.

        Raises:
            ScorerError: The model gave something that is no probability.
        """


def require_self_test(scorer: RowScorer, test: SelfTest) -> None:
    """Score the rows of the self-test again.

    Raises:
        ScorerError: A probability differs by more than 1e-6 from the stored one.
    """
    if not test.rows or len(test.rows) != len(test.probabilities):
        raise ScorerError(
            "The self-test of the model holds no rows, or not one probability for each: export the "
            "version again."
        )
    for row, (found, stored) in enumerate(
        zip(scorer.score(test.rows), test.probabilities, strict=True)
    ):
        if not math.isclose(found, stored, rel_tol=0, abs_tol=TOLERANCE):
            raise ScorerError(
                f"The model gives {found!r} for row {row} of its self-test, where it gave "
                f"{stored!r} when it was exported: export the version again with this runtime."
            )


def no_probabilities(found: list[float], rows: int) -> ScorerError:
    """Return the error for a model whose output is not one probability per row."""
    return ScorerError(
        f"The model gave {found[:3]} for {rows} rows, which are not probabilities: load another "
        "version, or roll the release back."
    )
