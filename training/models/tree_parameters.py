"""Parameters that all kinds of gradient-boosted trees have, and what a sweep tries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import Field

from training.models.interface import FloatRange, IntegerRange, IterativeParameters

if TYPE_CHECKING:
    from training.models.interface import SearchSpace


class TreeParameters(IterativeParameters):
    """Parameters of the trees.

    Attributes:
        learning_rate: What each tree adds, as a share.
        leaves: Most leaves of a tree.
        leaf_rows: Fewest training rows in a leaf.
        l2: Regularization of the leaves' values.
        feature_share: Share of the features tried for each split, or used for each tree.
    """

    learning_rate: float = Field(default=0.05, gt=0, le=1)
    leaves: int = Field(default=63, ge=2)
    leaf_rows: int = Field(default=200, ge=1)
    l2: float = Field(default=0.0, ge=0)
    feature_share: float = Field(default=1.0, gt=0, le=1)


TREE_SEARCH_SPACE: Final[SearchSpace] = {
    "learning_rate": FloatRange(0.02, 0.15, log=True),
    "l2": FloatRange(0.1, 50.0, log=True),
    "feature_share": FloatRange(0.1, 0.8),
    "leaves": IntegerRange(16, 128),
    "leaf_rows": IntegerRange(50, 800),
}
