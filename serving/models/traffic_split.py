"""Which of the released models answers a flight: champion and challenger, split by weight.

A flight is always answered by the same one at the same weight: its id decides, not the caller and
not chance. Who was answered by the challenger stays so when its weight is raised.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from serving.models.model_loader import LoadedModel

Alias: TypeAlias = Literal["champion", "challenger"]

CHAMPION: Final[Alias] = "champion"
CHALLENGER: Final[Alias] = "challenger"
_PLACES: Final = 2**64


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that answers.

    Attributes:
        model: The model.
        alias: The alias that it is followed by; None when this server was told a version.
        revision: Revision of the release document it was chosen under; 0 before the first.
    """

    model: LoadedModel
    alias: Alias | None
    revision: int


@dataclass(frozen=True, slots=True)
class Split:
    """The models of one instant.

    Attributes:
        main: Answers all flights that `trial` does not.
        trial: The challenger; None when there is none, or it may not be served.
        weight: Share of the flights that `trial` answers, 0 to 1.
    """

    main: ServedModel
    trial: ServedModel | None = None
    weight: float = 0.0

    def answering(self, flight_id: str) -> ServedModel:
        """Return the model that answers a flight."""
        if self.trial is not None and self.weight > 0 and place_of(flight_id) < self.weight:
            return self.trial
        return self.main

    @property
    def shadow(self) -> ServedModel | None:
        """The challenger that scores beside, while it answers nobody."""
        return self.trial if self.weight == 0 else None


def place_of(flight_id: str) -> float:
    """Return the place of a flight among all, 0 to 1: evenly spread, and always the same."""
    digest = blake2b(flight_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / _PLACES
