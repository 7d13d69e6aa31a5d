"""The `features` section of the configuration."""

from __future__ import annotations

import datetime as dt

from pydantic import AwareDatetime, Field

from features.declare.declarations import HORIZON_MIN
from ontime_base.configuration import Settings


class FeatureSettings(Settings):
    """Settings of the feature layer.

    Attributes:
        horizon_min: Minutes from the prediction time to the scheduled departure.
        block_days: Days of flights that one task computes at a time.
        as_of_ingest: Only rows ingested by then are used; None: all rows.
    """

    horizon_min: int = Field(default=HORIZON_MIN, ge=1, le=1440)
    block_days: int = Field(default=92, ge=1, le=366)
    as_of_ingest: AwareDatetime | None = None

    @property
    def key(self) -> str:
        """The suffix of the feature table's name: `h120` for a horizon of 120 minutes."""
        if self.as_of_ingest is None:
            return f"h{self.horizon_min}"
        return f"h{self.horizon_min}_as_of_{self.as_of_ingest.astimezone(dt.UTC):%Y%m%dT%H%M%S%f}Z"

    @property
    def table(self) -> str:
        """The name of the feature table; each horizon has its own."""
        return f"gold_features_{self.key}"
