"""What a hostile case is given: the shared service, services of its own, and places for figures."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pipelines.proofs.hostile.running import running_service

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipelines.proofs.hostile.running import RunningService

# As in production, but for the rate limit: all cases are one caller.
_SETTINGS: Final[Mapping[str, object]] = {
    "serving.access.required": "true",
    "serving.limits.requests_per_second": 0,
}


@dataclass
class World:
    """What a case is given.

    Attributes:
        pristine: A home folder with the released model, never served from.
        folder: Where homes are made.
        service: The service that all cases share; it must answer as before when a case ends.
        figures: Figures that cases measured, by name.
        acknowledged: Predictions that services of a case's own have acknowledged.
        lost: Those of them that their stores do not hold.
    """

    pristine: Path
    folder: Path
    key: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    _narrow_key: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    figures: dict[str, float] = field(default_factory=dict)
    acknowledged: int = 0
    lost: set[str] = field(default_factory=set)
    service: RunningService = field(init=False)

    @property
    def narrow(self) -> dict[str, str]:
        """The headers of a caller whose key may predict, and nothing else."""
        return {"authorization": f"Bearer {self._narrow_key}"}

    @contextlib.contextmanager
    def own_service(
        self,
        settings: Mapping[str, object] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        home: Path | None = None,
    ) -> Iterator[RunningService]:
        """Run a service for one case, with a home of its own; what it acknowledged must be kept.

        Args:
            settings: Values by the keys of conf/, over those of the shared service.
            environment: Further variables of its process.
            home: The home of an earlier service of the same case; None: a new one.
        """
        keys = {
            "hostile": {"sha256": _hash(self.key), "scopes": ["predict", "events", "operate"]},
            "narrow": {"sha256": _hash(self._narrow_key), "scopes": ["predict"]},
        }
        variables = {"ONTIME_ENV": "prod", "ONTIME_API_KEYS": json.dumps(keys)}
        where = home or self.new_home()
        with running_service(
            where,
            key=self.key,
            settings={**_SETTINGS, **(settings or {})},
            environment={**variables, **(environment or {})},
        ) as service:
            yield service
            service.stop()
        self.acknowledged += len(service.acknowledged)
        self.lost |= service.lost()

    def new_home(self) -> Path:
        """Return a new home folder with the released model."""
        home = self.folder / f"home-{secrets.token_hex(4)}"
        shutil.copytree(self.pristine, home)
        return home


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
