"""New source files to online features: the stages between them, in one process and session."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

from pipelines.runtime.command import run_command
from pipelines.runtime.runner import run_stage
from pipelines.stages import stage_named

if TYPE_CHECKING:
    from pipelines.runtime.context import RunContext

STAGES: Final = ("ingest", "build_features", "publish")


def take_in(context: RunContext) -> None:
    """Run the stages, and print the seconds of each and the new rows of flights as JSON."""
    reports = [run_stage(stage_named(name), context) for name in STAGES]
    seconds = {each.stage: round(each.seconds, 2) for each in reports}
    print(json.dumps({"new": reports[0].outputs["new"]["flights"], **seconds}))


if __name__ == "__main__":
    sys.exit(run_command("new data", take_in))
