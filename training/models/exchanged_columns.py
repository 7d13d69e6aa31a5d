"""Log-odds of a forest for rows that take the values of some columns from other rows.

For each tree, a row's value in one column leaves a set of leaves reachable, and the row ends in the
only leaf that is in the sets of all columns. Exchanging a column exchanges its sets; those of the
other columns stay: no comparison is made twice. Sets are the bits of 64-bit words.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from training.models.graph_forms import Forest
    from training.models.interface import Matrix

    Sets: TypeAlias = NDArray[np.uint64]

_BITS: Final = 64
_ONE: Final = np.uint64(1)


@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """Columns whose values come from other rows.

    Attributes:
        columns: Numbers of the columns.
        rows: For each row, the row that its values in these columns come from.
    """

    columns: tuple[int, ...]
    rows: NDArray[np.intp]


class _Column(NamedTuple):
    """A column by ranks: how many of the forest's thresholds a value exceeds; missing is the last.

    Attributes:
        thresholds: The rank of each threshold.
        ranks: The rank of each row.
    """

    thresholds: Mapping[float, int]
    ranks: NDArray[np.intp]


class _Tree(NamedTuple):
    """A tree.

    Attributes:
        reachable: By column, the sets that a value's rank leaves: [words, ranks].
        leaves: The leaves' values by word and bit, then 0 for a word without a leaf: [words, 65].
    """

    reachable: Mapping[int, Sets]
    leaves: NDArray[np.float64]


def exchanged_log_odds(
    forest: Forest, matrix: Matrix, exchanges: Sequence[Exchange]
) -> NDArray[np.float64]:
    """Return the log-odds of rows after each of some exchanges: [exchanges, rows].

    The trees are added up in their order, so the sums are those of a row that has these values.

    Args:
        forest: The trees.
        matrix: Encoded rows; NaN is missing.
        exchanges: What is exchanged, each time from the rows as they are in the matrix.
    """
    columns = _ranked(forest, matrix)
    sums = np.full((len(exchanges), len(matrix)), forest.baseline)
    for tree in _trees(forest, columns):
        sets = {
            column: table.take(columns[column].ranks, axis=1)
            for column, table in tree.reachable.items()
        }
        own = _values(tree, sets.values())
        unchanged = _without_each(sets)
        for number, exchange in enumerate(exchanges):
            changed = frozenset(sets.keys() & set(exchange.columns))
            if not changed:
                sums[number] += own
                continue
            if changed not in unchanged:
                others = [found for column, found in sets.items() if column not in changed]
                unchanged[changed] = [reduce(np.bitwise_and, others)] if others else []
            taken = [sets[column].take(exchange.rows, axis=1) for column in changed]
            sums[number] += _values(tree, [*taken, *unchanged[changed]])
    return sums


def _without_each(sets: Mapping[int, Sets]) -> dict[frozenset[int], list[Sets]]:
    """Return for each column what the sets of all others have in common; nothing without others."""
    values = list(sets.values())
    if len(values) == 1:
        return {frozenset(sets): []}
    before = [None, *accumulate(values[:-1], np.bitwise_and)]
    after = [*reversed(list(accumulate(values[:0:-1], np.bitwise_and))), None]
    return {
        frozenset((column,)): [found for found in both if found is not None]
        for column, both in zip(sets, zip(before, after, strict=True), strict=True)
    }


def _values(tree: _Tree, sets: Iterable[Sets]) -> NDArray[np.float64]:
    """Return the value of the leaf that each row has in all of its sets."""
    bits = np.bitwise_count(reduce(np.bitwise_and, sets) - _ONE)  # of no leaf: 64
    values: NDArray[np.float64] = tree.leaves[0].take(bits[0])
    for leaves, found in zip(tree.leaves[1:], bits[1:], strict=True):
        values += leaves.take(found)
    return values


def _ranked(forest: Forest, matrix: Matrix) -> dict[int, _Column]:
    features, thresholds = np.array(forest.features), np.array(forest.thresholds)
    found = {}
    for column in np.unique(features).tolist():
        values = matrix[:, column]
        distinct = np.unique(thresholds[features == column])
        ranks = np.searchsorted(distinct, values)  # a value that is a threshold does not exceed it
        ranks[np.isnan(values)] = distinct.size + 1
        places = {threshold: rank for rank, threshold in enumerate(distinct.tolist())}
        found[column] = _Column(places, ranks)
    return found


def _trees(forest: Forest, columns: Mapping[int, _Column]) -> Iterator[_Tree]:
    """Yield the trees of a forest."""
    for root, end in pairwise([*forest.roots, len(forest.features)]):
        nodes = range(root, end)
        branches = [
            (forest.true, forest.true_is_leaf),
            (forest.false, forest.false_is_leaf),
        ]
        ids = [place[n] for place, is_leaf in branches for n in nodes if is_leaf[n]]
        first, count = min(ids), max(ids) - min(ids) + 1
        words = -(-count // _BITS)
        below: dict[int, int] = {}
        excluded: dict[int, list[tuple[int, int, int]]] = {}
        for node in reversed(nodes):  # a child comes after its parent
            true, false = (
                1 << (place[node] - first) if is_leaf[node] else below[place[node]]
                for place, is_leaf in branches
            )
            below[node] = true | false
            excluded.setdefault(forest.features[node], []).append(
                (node, false & ~true, true & ~false)
            )
        reachable = {}
        for column, found in excluded.items():
            places = columns[column].thresholds
            table = np.full((words, len(places) + 2), ~np.uint64(0))
            table[:] = _words(below[root], words)
            for node, if_true, if_false in found:
                rank = places[forest.thresholds[node]] + 1
                table[:, :rank] &= ~_words(if_true, words)
                table[:, rank:-1] &= ~_words(if_false, words)
                table[:, -1:] &= ~_words(if_true if forest.missing_true[node] else if_false, words)
            reachable[column] = table
        leaves = np.zeros((words, _BITS + 1))
        for leaf in range(count):
            leaves[divmod(leaf, _BITS)] = forest.leaves[first + leaf]
        yield _Tree(reachable, leaves)


def _words(bits: int, words: int) -> Sets:
    """Return a set as words: [words, 1]."""
    data = bits.to_bytes(words * _BITS // 8, "little")
    return np.frombuffer(data, dtype="<u8").astype(np.uint64)[:, None]
