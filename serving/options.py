"""How the service answers, as it is handed to the code that does so.

The configuration (`serving.settings`) is checked by pydantic, whose import takes longer than many
requests; what runs in a function is given these, from JSON that was made of checked settings.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from serving.stores.opening import StoreOptions


class AccessOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who may ask."""

    required: bool = False
    keys: dict[str, Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]] = {}


class LimitOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How much is taken on."""

    requests_per_second: Annotated[float, Meta(ge=0)] = 0.0
    burst: Annotated[int, Meta(ge=1)] = 100
    most_waiting: Annotated[int, Meta(ge=1)] = 1_200
    most_lag_ms: Annotated[int, Meta(ge=10)] = 1_000
    body_seconds: Annotated[float, Meta(gt=0)] = 10.0


class ServingOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How requests are answered; each is explained in `serving.settings`."""

    model_name: str = "ontime"
    store_uri: str | None = None
    stores: StoreOptions = StoreOptions()
    follow_seconds: Annotated[float, Meta(gt=0)] = 1.0
    allow_as_of: bool = False
    max_body_bytes: int = 64 * 1024
    batch_max: Annotated[int, Meta(ge=1)] = 1_000
    max_batch_bytes: int = 512 * 1024
    stale_min: int = 360
    job_hours: Annotated[float, Meta(gt=0)] = 24.0
    idempotency_hours: Annotated[float, Meta(gt=0)] = 24.0
    history_page: Annotated[int, Meta(ge=1)] = 20
    history_page_max: Annotated[int, Meta(ge=1)] = 100
    access: AccessOptions = AccessOptions()
    limits: LimitOptions = LimitOptions()
