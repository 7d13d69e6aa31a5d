"""Assigns each flight to the champion or the challenger, by weight.

The assignment is a hash of the flight id: the same flight gets the same model at the same weight,
and a flight that the challenger answers stays with it when its weight is raised.
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
_HASHES: Final = 2**64


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A loaded model with its role.

    Attributes:
        model: The model.
        alias: The alias that the server follows; None when it is pinned to a version.
        revision: Revision of the release document it was loaded from; 0 before the first.
    """

    model: LoadedModel
    alias: Alias | None
    revision: int


@dataclass(frozen=True, slots=True)
class TrafficSplit:
    """The models that answer, as one consistent value.

    Attributes:
        primary: Answers the flights that `challenger` does not: the champion, or a pinned version.
        challenger: None when there is none, or it was refused.
        weight: Share of the flights that `challenger` answers, 0 to 1.
    """

    primary: ServedModel
    challenger: ServedModel | None = None
    weight: float = 0.0

    def answering(self, flight_id: str) -> ServedModel:
        """Return the model that answers a flight."""
        if self.challenger is not None and hash_fraction(flight_id) < self.weight:
            return self.challenger
        return self.primary

    @property
    def shadow(self) -> ServedModel | None:
        """The challenger that scores in the shadow: only while its weight is 0."""
        return self.challenger if self.weight == 0 else None


def hash_fraction(flight_id: str) -> float:
    """Return the hash of a flight id as a number from 0 to 1, uniformly distributed."""
    digest = blake2b(flight_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / _HASHES
