"""The inputs of one flight, resolved from the tracks of its items by search.

This is the innermost loop of a prediction: positions are indexes into the item's integers, and
nothing is taken apart.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, TypeAlias

from features.items import NULL
from features.streams import OVERDUE_FOR_MIN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.plan import LastValue, Plan, Total, TrackPlan

Found: TypeAlias = "Mapping[int, memoryview]"
"""The items of one entity key that there are, as integers, by stretch."""


class Resolved:
    """The inputs of one flight, as far as they are resolved.

    Args:
        plan: What is read.
        as_of: The instant of the prediction.
        edges: The minute and the stretch of every edge of the plan.
    """

    __slots__ = ("_as_of", "_edges", "newest", "slots", "unreadable")

    def __init__(self, plan: Plan, as_of: int, edges: Sequence[tuple[int, int]]) -> None:
        self.slots = list(plan.slots)
        self.newest: dict[str, int | None] = {}
        self.unreadable = 0
        self._as_of = as_of
        self._edges = edges

    def read(self, plan: TrackPlan, found: Found) -> None:
        """Resolve the inputs that read one track."""
        if plan.windows:
            self._windows(plan, found)
        if plan.standing:
            self._standing(plan, found)
        if plan.latest:
            self._latest(plan, found)
        if plan.news is not None:
            self._hear(plan, plan.news, found)

    def _windows(self, plan: TrackPlan, found: Found) -> None:
        edges, slots, header, wide = self._edges, self.slots, plan.header, 2 * plan.wide
        for last, starts in plan.windows.items():
            end, stretch = edges[last]
            words = found.get(stretch)
            minutes = count = high = 0
            if words is not None:
                count = words[header]
                minutes = words[header + 1] + wide * count
                high = bisect_left(words, end, minutes, minutes + count)
            for first, totals in starts.items():
                start, begins = edges[first]
                if begins < stretch:
                    self._earlier(plan, found, range(begins, stretch), start, totals)
                if words is None or begins > stretch:
                    continue
                low = bisect_left(words, start, minutes, high) if begins == stretch else minutes
                if low == high:
                    continue
                for slot, column, instant in totals:
                    if column is None:
                        slots[slot] += high - low
                        continue
                    at = count + column * (count + 1)
                    slots[slot] += words[at + high] - words[at + low]
                    if instant:
                        slots[slot] += stretch * plan.span * (high - low)

    def _earlier(
        self, plan: TrackPlan, found: Found, stretches: range, start: int, totals: list[Total]
    ) -> None:
        """Add what a window holds of stretches before its last one."""
        for stretch in stretches:
            words = found.get(stretch)
            if words is None:
                continue
            count = words[plan.header]
            minutes = words[plan.header + 1] + 2 * plan.wide * count
            high = minutes + count
            low = bisect_left(words, start, minutes, high) if stretch == stretches[0] else minutes
            for slot, column, instant in totals:
                if column is None:
                    self.slots[slot] += high - low
                    continue
                at = count + column * (count + 1)
                self.slots[slot] += words[at + high] - words[at + low]
                if instant:
                    self.slots[slot] += stretch * plan.span * (high - low)

    def _standing(self, plan: TrackPlan, found: Found) -> None:
        """Intervals end in the item in which they began, so those of other items do not matter."""
        at, header, span = self._as_of, plan.header, plan.span
        for stretch in range((at - OVERDUE_FOR_MIN) // span, (at - 1) // span + 1):
            words = found.get(stretch)
            if words is None:
                continue
            count = words[header]
            begun = words[header + 1] + 2 * plan.wide * count
            ended = words[header + 3] + 2 * plan.identified * count
            high = bisect_left(words, at, begun, begun + count)
            low = bisect_left(words, at, ended, ended + count)
            still_open = (high - begun) - (low - ended)
            for slot, column, instant in plan.standing:
                if column is None:
                    self.slots[slot] += still_open
                    continue
                totals = count + column * (count + 1)
                self.slots[slot] += words[totals + high] - words[totals + low]
                if instant:
                    self.slots[slot] += stretch * span * still_open

    def _latest(self, plan: TrackPlan, found: Found) -> None:
        for (last, first), values in plan.latest.items():
            (end, ends), (start, begins) = self._edges[last], self._edges[first]
            for stretch in range(ends, begins - 1, -1):
                words = found.get(stretch)
                if words is None:
                    continue
                count = words[plan.header]
                minutes = words[plan.header + 1] + 2 * plan.wide * count
                row = bisect_left(words, end, minutes, minutes + count) - 1
                if row >= minutes:
                    if words[row] >= start:
                        self._take(plan, words, count, row, values)
                    break

    def _take(
        self, plan: TrackPlan, words: memoryview, count: int, row: int, values: list[LastValue]
    ) -> None:
        integers = row + count + plan.totals * (count + 1)
        for slot, column, is_float, known in values:
            if known is not None and not NULL < words[integers + known * count] < self._as_of:
                continue
            if is_float:
                track = words[plan.header + 1]
                position = row - track - 2 * plan.wide * count
                doubles = words.cast("B").cast("d")
                at = track // 2 + (plan.identified + column) * count + position
                self.slots[slot] = doubles[at]
                continue
            value = words[integers + column * count]
            if value != NULL:
                self.slots[slot] = float(value)

    def _hear(self, plan: TrackPlan, table: str, found: Found) -> None:
        """Note the newest minute before the instant at which something became known."""
        newest = self.newest.get(table)
        for words in found.values():
            count = words[plan.header]
            minutes = words[plan.header + 1] + 2 * plan.wide * count
            row = bisect_left(words, self._as_of, minutes, minutes + count) - 1
            if row >= minutes and (newest is None or words[row] > newest):
                newest = words[row]
        self.newest[table] = newest
