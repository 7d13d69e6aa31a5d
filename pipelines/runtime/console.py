"""Progress for a terminal and for the log of a CI run: plain lines, each flushed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from ontime_base.typed_text import plain_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

INDENT = "      "


class Console:
    """Prints progress; sub-steps stand below the line of their stage.

    Attributes:
        stream: Where the lines go; standard output unless given.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout

    def say(self, text: str = "") -> None:
        """Print a line, or several; what a terminal would not show is escaped."""
        print(plain_lines(text), file=self.stream, flush=True)

    def step(self, text: str) -> None:
        """Print one sub-step of the running stage, such as `flights: 336,776 rows read`."""
        self.say(f"{INDENT}{text}")

    def stage_started(self, name: str, title: str, why: str) -> None:
        """Print that a stage starts, and why it has to."""
        self.say(f"{name}: {title} ({why})")

    def stage_ended(self, name: str, seconds: float, notes: Sequence[str] = ()) -> None:
        """Print what a stage found and how long it took."""
        for note in notes:
            self.step(note)
        self.say(f"{name}: done in {seconds:.1f} s")

    def stage_skipped(self, name: str, why: str) -> None:
        """Print that a stage had nothing to do, and why."""
        self.say(f"{name}: skipped, {why}")
