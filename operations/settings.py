"""The `operations` section of the configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ontime_base.configuration import Settings


class OperationsSettings(Settings):
    """Settings of the release: rollout and approval of a new model version.

    Attributes:
        rollout: `direct`: the challenger becomes champion as soon as its gates passed;
            `gradual`: only when it already answers every flight.
        approval: `required`: a person has to approve it as well; `none`: the gates suffice.
        online_days: For how many days before the end of the data a flight can be predicted online.
    """

    rollout: Literal["direct", "gradual"] = "gradual"
    approval: Literal["none", "required"] = "none"
    online_days: int = Field(default=2, ge=1)
