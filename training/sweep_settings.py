"""The `training.sweep` section of the configuration."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from features.settings import Settings


class SweepSettings(Settings):
    """How better parameters of the trees are looked for.

    Attributes:
        validate_from: Instant within the train part: trials learn from the flights before it and
            are ranked on those from it on; null: the last quarter. The validate and test parts are
            not looked at.
        trials: How many there are at most; 0: no sweep.
        minutes: For how long new ones are begun, and old ones go on.
        workers: Trials at a time, each on one core; null: as many as this machine has cores. For a
            cluster: as many as it has.
        iterations: Most trees of a trial.
        report_every: After so many more trees a trial tells how good it is, and may be stopped.
        seed: Seed of what is tried.
    """

    validate_from: AwareDatetime | None = None
    trials: int = Field(default=16, ge=0)
    minutes: float = Field(default=6, gt=0)
    workers: int | None = Field(default=None, ge=1)
    iterations: int = Field(default=400, ge=1)
    report_every: int = Field(default=40, ge=1)
    seed: int = Field(default=0, ge=0)
