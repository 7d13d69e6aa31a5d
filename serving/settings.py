"""The `serving` section of the configuration.

How the service answers, as it is handed to the code that does so.

The configuration (`serving.settings`) is checked by pydantic, whose import takes longer than many
requests; what runs in a function is given these, from JSON that was made of checked settings.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec import Meta
from pydantic import Field

from ontime_base.configuration import ConfError, Settings
from serving.stores.opening import StoreOptions

if TYPE_CHECKING:
    from pathlib import Path


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
    head_seconds: Annotated[float, Meta(gt=0)] = 30.0
    max_head_bytes: Annotated[int, Meta(ge=8192)] = 16_384
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


_KEYS: Final = "ONTIME_API_KEYS"
_KEYS_FORM: Final = 'set it to a JSON object such as {"somebody": "<SHA-256 of the key>"}'
_OF_THE_SERVER: Final = {"host", "port"}


class StoreSettings(Settings):
    """Which stores are used. Those of AWS are found by AWS's own environment variables.

    Attributes:
        history: Where predictions are kept: `sqlite` (in the home folder) or `dynamodb`.
        online: Where the state of the features is.
        jobs: Where asynchronous requests and idempotency keys are.
        queue: What brings jobs and events to who works on them: `sqlite` or `sqs`.
        prefix: What the names of tables and queues in AWS start with.
        retention_days: How long a prediction is kept.
        fallback: What takes predictions while the history is down: `spool` (a folder at home; the
            disk must outlive the process), `queue` (where no disk does, as in a function), or
            `none`: then they are not given.
        spool_megabytes: The most that waits in the spool.
    """

    history: Literal["sqlite", "dynamodb"] = "sqlite"
    online: Literal["sqlite", "dynamodb"] = "sqlite"
    jobs: Literal["sqlite", "dynamodb"] = "sqlite"
    queue: Literal["sqlite", "sqs"] = "sqlite"
    prefix: str = Field(default="ontime", pattern=r"^[A-Za-z0-9_-]{1,60}$")
    retention_days: int = Field(default=90, ge=1, le=3650)
    fallback: Literal["spool", "queue", "none"] = "spool"
    spool_megabytes: int = Field(default=512, ge=1)


class AccessSettings(Settings):
    """Who may ask.

    Attributes:
        required: Whether a caller needs an API key; the health check never does.
        keys: SHA-256 of each key, in hex, by the name of who has it. `ONTIME_API_KEYS`, a JSON
            object of the same form, adds to them.
    """

    required: bool = True
    keys: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = Field(default_factory=dict)


class LimitSettings(Settings):
    """How much is taken on.

    Attributes:
        requests_per_second: Requests of one caller (key, or address) that go on for ever; 0: any.
        burst: Requests of one caller at once.
        most_waiting: Requests that may wait for their answer at once; more are refused with 503.
        most_lag_ms: How late the event loop may come round before requests are refused with 503.
        head_seconds: Keep-alive and header time-out: how long a connection may be idle or in the
            middle of a request head.
        max_head_bytes: A larger request head is refused with 431.
        body_seconds: How long a caller may take to send a body.
    """

    requests_per_second: float = Field(default=0.0, ge=0)
    burst: int = Field(default=100, ge=1)
    most_waiting: int = Field(default=1_200, ge=1)
    most_lag_ms: int = Field(default=1_000, ge=10)
    head_seconds: float = Field(default=30.0, gt=0)
    max_head_bytes: int = Field(default=16_384, ge=8192)
    body_seconds: float = Field(default=10.0, gt=0)


class ServingSettings(Settings):
    """How requests are answered.

    Attributes:
        model_name: Registered model whose versions are served.
        store_uri: The artifact store, with release document, model packages and ledger: a folder or
            a URI such as `s3://bucket/ontime`; null: `store` in the home folder.
        stores: Every other store.
        access: Who may ask.
        limits: How much is taken on.
        host: Address to listen on.
        port: Port to listen on.
        follow_seconds: How often the release document is looked at.
        allow_as_of: Whether a request may say as of when features are taken (dev only: 2013 again).
        max_body_bytes: A larger request body is refused with 413.
        batch_max: The most flights in one request.
        max_batch_bytes: The same for the body of a request with many flights.
        stale_min: From this age on (minutes), the newest event makes a prediction count as stale.
        job_hours: How long the result of an asynchronous prediction can be asked for.
        idempotency_hours: How long a request sent again gets the answer that was given.
        history_page: Predictions on a page of the history when the caller names no limit.
        history_page_max: The most predictions on a page.
    """

    model_name: str = Field(default="ontime", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    store_uri: str | None = Field(default=None, min_length=1)
    stores: StoreSettings = StoreSettings()
    access: AccessSettings = AccessSettings()
    limits: LimitSettings = LimitSettings()
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    follow_seconds: float = Field(default=1.0, gt=0, le=60)
    allow_as_of: bool = False
    max_body_bytes: int = Field(default=64 * 1024, ge=1024)
    batch_max: int = Field(default=1_000, ge=1, le=1_000)
    max_batch_bytes: int = Field(default=512 * 1024, ge=1024)
    stale_min: int = Field(default=360, ge=1)
    job_hours: float = Field(default=24.0, gt=0)
    idempotency_hours: float = Field(default=24.0, gt=0)
    history_page: int = Field(default=20, ge=1)
    history_page_max: int = Field(default=100, ge=1)

    def options(self) -> ServingOptions:
        """Return what the code that answers is given: all but where to listen."""
        data = self.model_dump(exclude=_OF_THE_SERVER)
        data["access"]["keys"] |= _keys_of_the_environment()
        try:
            return msgspec.convert(data, ServingOptions)
        except msgspec.ValidationError as error:
            raise ConfError(f"{_KEYS} cannot be used ({error}): {_KEYS_FORM}.") from error


def _keys_of_the_environment() -> dict[str, str]:
    given = os.environ.get(_KEYS, "{}")
    try:
        return msgspec.json.decode(given, type=dict[str, str])
    except msgspec.MsgspecError as error:
        raise ConfError(f"{_KEYS} cannot be read ({error}): {_KEYS_FORM}.") from error


def artifact_store_uri(settings: ServingSettings, home: Path) -> str:
    """Return where the artifact store is: as configured, else in the home folder."""
    return settings.store_uri or str(home / "store")
