"""The two forms of a fitted model that can be exported: trees, and a weighted sum.

Both give log-odds from a row of numbers. `serving` scores and explains these forms, also without a
library; a kind of model returns one of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass
class Forest:
    """Trees as the ONNX operator TreeEnsemble wants them: inner nodes and leaves in one list each.

    A tree's nodes follow each other, a child after its parent; leaves are in the order in which a
    walk that takes the true branch first meets them.

    Attributes:
        baseline: What is added to the sum of the leaves.
        features: Column that each inner node compares.
        thresholds: A value <= it takes the true branch.
        missing_true: 1 where a missing value takes the true branch, else 0.
        true: Inner node or leaf of the true branch.
        true_is_leaf: 1 if it is a leaf, else 0.
        false: Inner node or leaf of the false branch.
        false_is_leaf: 1 if it is a leaf, else 0.
        leaves: Value of each leaf, in log-odds.
        leaf_flights: How many flights of the training part ended in each leaf.
        roots: First node of each tree.
    """

    baseline: float = 0.0
    features: list[int] = field(default_factory=list)
    thresholds: list[float] = field(default_factory=list)
    missing_true: list[int] = field(default_factory=list)
    true: list[int] = field(default_factory=list)
    true_is_leaf: list[int] = field(default_factory=list)
    false: list[int] = field(default_factory=list)
    false_is_leaf: list[int] = field(default_factory=list)
    leaves: list[float] = field(default_factory=list)
    leaf_flights: list[int] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)

    def add_stump(self, value: float, flights: int) -> None:
        """Add a tree that is only a leaf: a node whose two branches end there."""
        self.roots.append(len(self.features))
        self.features.append(0)
        self.thresholds.append(0.0)
        self.missing_true.append(1)
        self.true.append(len(self.leaves))
        self.false.append(len(self.leaves))
        self.true_is_leaf.append(1)
        self.false_is_leaf.append(1)
        self.leaves.append(value)
        self.leaf_flights += [flights, 0]


@dataclass(frozen=True, slots=True)
class WeightedSum:
    """A linear model: baseline plus, for each column, weight times (value minus centre).

    Attributes:
        baseline: Log-odds of a flight whose columns are all at their centres.
        centres: Of each column; a missing value counts as its centre.
        weights: Of each column.
    """

    baseline: float
    centres: tuple[float, ...]
    weights: tuple[float, ...]


GraphForm: TypeAlias = Forest | WeightedSum
