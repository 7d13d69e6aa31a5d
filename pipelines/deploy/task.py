"""The entry point of the wheel: `ontime <stage> ...` runs a stage, as a Databricks task does."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pipelines.runtime.command import stage_main
from pipelines.stages import STAGES

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """Run the stage that the first argument names, with the other arguments.

    Raises:
        SystemExit: The stage failed, or there is no such stage. Where all is well nothing is
            raised: a wheel task takes every SystemExit for a failure.
    """
    names = [stage.name for stage in STAGES]
    stage, *rest = list(sys.argv[1:] if argv is None else argv) or [""]
    if stage not in names:
        print(f"ontime: '{stage}' is no stage: give one of {', '.join(names)}", file=sys.stderr)
        raise SystemExit(2)
    code = stage_main(stage, rest)
    if code:
        raise SystemExit(code)
