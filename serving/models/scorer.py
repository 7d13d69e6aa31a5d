"""What a scorer is, whichever way it computes, and how one is opened."""

from __future__ import annotations

import math
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from ontime_base.errors import OntimeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.contract.feature_contract import Contract
    from serving.models.model_package import SelfTest

FeatureValue: TypeAlias = float | str | None

TOLERANCE: Final = 1e-6


class ScorerError(OntimeError):
    """A model cannot be loaded, or does not answer as it did when it was made."""


class RowScorer(Protocol):
    """Scores rows of feature values with one exported model, on the calling thread alone."""

    def score(self, rows: Sequence[Sequence[FeatureValue]]) -> list[float]:
        """Return the probability of a late arrival, 0 to 1, of each row.

        Args:
            rows: Feature values in the order of the contract; None or NaN is missing.

        Raises:
            ScorerError: The model gave something that is no probability.
        """


def open_scorer(model: bytes, contract: Contract) -> RowScorer:
    """Return a scorer of an exported model: of onnxruntime where it is installed, else of Python.

    The second needs no library, starts in a fraction of the time and takes longer for a row: it is
    what a function in the cloud carries. Both give the same bits for a row
    (docs/adr/0015-lambda-without-numpy.md).

    Args:
        model: Bytes of the exported model.
        contract: Names, types and order of the features.

    Raises:
        ScorerError: The bytes are no model, or do not fit the contract.
    """
    if find_spec("onnxruntime") is not None:
        from serving.models.onnx_scorer import Scorer  # noqa: PLC0415 - not where it is not installed

        return Scorer(model, contract)
    from serving.models.tree_scorer import TreeScorer  # noqa: PLC0415 - only there

    return TreeScorer(model, contract)


def require_self_test(scorer: RowScorer, test: SelfTest) -> None:
    """Score the rows of the self-test again.

    Raises:
        ScorerError: A probability differs by more than 1e-6 from the one kept.
    """
    if not test.rows or len(test.rows) != len(test.probabilities):
        raise ScorerError(
            "The self-test of the model holds no rows, or not one probability for each: export the "
            "version again."
        )
    for row, (found, kept) in enumerate(
        zip(scorer.score(test.rows), test.probabilities, strict=True)
    ):
        if not math.isclose(found, kept, rel_tol=0, abs_tol=TOLERANCE):
            raise ScorerError(
                f"The model gives {found!r} for row {row} of its self-test, where it gave {kept!r} "
                "when it was made: export the version again with this runtime."
            )


def no_probabilities(found: list[float], rows: int) -> ScorerError:
    """Return the error of a model that gives something else than a probability for each row."""
    return ScorerError(
        f"The model gave {found[:3]} for {rows} rows, which are not probabilities: load another "
        "version, or roll the release back."
    )
