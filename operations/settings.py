"""The `operations` section of the configuration."""

from __future__ import annotations

from typing import Literal

from features.settings import Settings


class OperationsSettings(Settings):
    """How a new model version comes to answer requests.

    Attributes:
        rollout: `direct`: the challenger becomes champion at once when its gates passed;
            `gradual`: only when it already answers every flight.
    """

    rollout: Literal["direct", "gradual"] = "gradual"
