"""How the service answers, as it is handed to the code that does so.

The configuration (`serving.settings`) is checked by pydantic, whose import takes longer than many
requests; what runs in a function is given these, from JSON that was made of checked settings.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from serving.stores.opening import StoreOptions


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
