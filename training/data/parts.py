"""The parts of the temporal split: their names, and the instants between them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from pydantic import AwareDatetime, model_validator

from ontime_base.configuration import Settings

if TYPE_CHECKING:
    from datetime import datetime

Part: TypeAlias = Literal["train", "validate", "test"]


class SplitSettings(Settings):
    """Instants of scheduled departure between which the parts lie, the first one included.

    Attributes:
        train_from: The model learns from here,
        validate_from: its threshold is chosen from here,
        test_from: its quality is measured from here,
        test_until: to here.
    """

    train_from: AwareDatetime
    validate_from: AwareDatetime
    test_from: AwareDatetime
    test_until: AwareDatetime

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        instants = (self.train_from, self.validate_from, self.test_from, self.test_until)
        if not all(before < after for before, after in pairwise(instants)):
            raise ValueError("train_from, validate_from, test_from, test_until must be in order")
        return self


def bounds_of(part: Part, settings: SplitSettings) -> tuple[datetime, datetime]:
    """Return the first instant of a part and the one after its last."""
    match part:
        case "train":
            return settings.train_from, settings.validate_from
        case "validate":
            return settings.validate_from, settings.test_from
        case "test":
            return settings.test_from, settings.test_until
