"""The `features` section of the configuration."""

from __future__ import annotations

import datetime as dt

from pydantic import AwareDatetime, Field

from features.declare.declarations import HORIZON_MIN
from features.declare.streams import LATE_FROM_MIN
from ontime_base.configuration import Settings


class FeatureSettings(Settings):
    """Settings of the feature layer.

    Attributes:
        horizon_min: Minutes from the prediction time to the scheduled departure.
        block_days: Days of flights that one task computes at a time.
        late_from_min: Arrival delay, in minutes, from which a flight is labelled late. Features
            that count late flights keep the 15 minutes of their declarations.
        as_of_ingest: Only rows ingested by then are used; None: all rows.
    """

    horizon_min: int = Field(default=HORIZON_MIN, ge=1, le=1440)
    block_days: int = Field(default=92, ge=1, le=366)
    late_from_min: int = Field(default=LATE_FROM_MIN, ge=1, le=1440)
    as_of_ingest: AwareDatetime | None = None

    @property
    def key(self) -> str:
        """The suffix of the feature table's name: `h120` for a horizon of 120 minutes.

        What differs from the default is added, such as `h120_late30`.
        """
        late = "" if self.late_from_min == LATE_FROM_MIN else f"_late{self.late_from_min}"
        key = f"h{self.horizon_min}{late}"
        if self.as_of_ingest is None:
            return key
        return f"{key}_as_of_{self.as_of_ingest.astimezone(dt.UTC):%Y%m%dT%H%M%S%f}Z"

    @property
    def table(self) -> str:
        """The name of the feature table; each horizon and each label has its own."""
        return f"gold_features_{self.key}"
