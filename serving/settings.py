"""The `serving` section of the configuration: names, defaults, bounds and meaning, declared once.

These are msgspec structs, not pydantic models: a Lambda function decodes them at its cold start,
where importing pydantic alone would take longer than many requests. `parse_serving` reads the
section in conf/; a function decodes the same structs from JSON.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias, get_args

import msgspec
from msgspec import Meta

from ontime_base.errors import ConfError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Scope: TypeAlias = Literal["predict", "events", "operate"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
DEFAULT_SCOPES: Final[tuple[Scope, ...]] = ("predict", "events")
Origin = Annotated[str, Meta(pattern=r"^(\*|https?://[A-Za-z0-9.:\[\]-]+)\Z")]
KeyHash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class StoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the stores. Those in AWS are found by AWS's own environment variables.

    Attributes:
        history: The prediction history: `sqlite` (in the home folder) or `dynamodb`.
        online: The online features.
        jobs: Asynchronous requests and idempotency keys.
        queue: Queue of jobs and events: `sqlite` or `sqs`.
        prefix: Prefix of the names of tables and queues in AWS.
        retention_days: Retention of a prediction, in days.
        fallback: What takes predictions while the history is down: `spool` (a folder at home; the
            disk must outlive the process), `queue` (where no disk does, as in a function), or
            `none`: then requests fail.
        spool_megabytes: The most that waits in the spool.
        most_queued: Messages of jobs, and of events, that may wait; more are refused with 503.
    """

    history: Literal["sqlite", "dynamodb"] = "sqlite"
    online: Literal["sqlite", "dynamodb"] = "sqlite"
    jobs: Literal["sqlite", "dynamodb"] = "sqlite"
    queue: Literal["sqlite", "sqs"] = "sqlite"
    prefix: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,60}\Z")] = "ontime"
    retention_days: Annotated[int, Meta(ge=1, le=3650)] = 90
    fallback: Literal["spool", "queue", "none"] = "spool"
    spool_megabytes: Annotated[int, Meta(ge=1)] = 512
    most_queued: Annotated[int, Meta(ge=1)] = 10_000


class KeySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An API key and what it allows.

    Attributes:
        sha256: SHA-256 of the key, in hex.
        scopes: `predict`: predictions and their history; `events`: reporting events; `operate`:
            choosing the model that answers. Any key may read the model, its card and the metrics.
    """

    sha256: KeyHash
    scopes: tuple[Scope, ...] = DEFAULT_SCOPES


class AccessSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of authentication.

    Attributes:
        required: Whether a caller needs an API key; the health check never does.
        keys: By the name of its owner, each key: `{sha256, scopes}`, or its SHA-256 alone, which
            allows `predict` and `events`. `ONTIME_API_KEYS`, a JSON object of the same form, adds
            to them.
    """

    required: bool = True
    keys: dict[str, KeyHash | KeySettings] = {}


class LimitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rate limit, load shedding and time-outs.

    Attributes:
        requests_per_second: Sustained rate of one caller (key, or address); 0: no limit.
        burst: Requests of one caller at the same time.
        most_waiting: Requests that may wait for their answer; more are refused with 503.
        most_lag_ms: Event-loop lag from which requests are refused with 503.
        head_seconds: Keep-alive and header time-out: how long a connection may be idle or in the
            middle of a request head. Longer than the 60 s after which a load balancer gives an idle
            connection up: else the service closes one that is about to be used.
        max_head_bytes: A larger request head is refused with 431.
        body_seconds: How long a caller may take to send a body.
    """

    requests_per_second: Annotated[float, Meta(ge=0)] = 100.0
    burst: Annotated[int, Meta(ge=1)] = 200
    most_waiting: Annotated[int, Meta(ge=1)] = 1_200
    most_lag_ms: Annotated[int, Meta(ge=10)] = 1_000
    head_seconds: Annotated[float, Meta(gt=0)] = 75.0
    max_head_bytes: Annotated[int, Meta(ge=8192)] = 16_384
    body_seconds: Annotated[float, Meta(gt=0)] = 10.0


class CorsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of cross-origin requests (CORS).

    Attributes:
        origins: Pages of these origins, such as `https://example.com`, may use the service in a
            browser; `*`: of any. They send their key themselves: stored credentials never count.
        max_age_seconds: How long a browser remembers what is allowed.
    """

    origins: tuple[Origin, ...] = ()
    max_age_seconds: Annotated[int, Meta(ge=0)] = 600


class ServingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the service.

    Attributes:
        model_name: Registered model whose versions are served.
        store_uri: The artifact store, with release document, model packages and ledger: a folder or
            a URI such as `s3://bucket/ontime`; null: `store` in the home folder.
        stores: Every other store.
        access: Who is answered.
        limits: Rate limit, load shedding and time-outs.
        cors: Which pages of other origins may use the service.
        host: Address to listen on.
        port: Port to listen on.
        follow_seconds: How often the release document is read.
        allow_as_of: Whether a request may say as of when features are taken (dev only: 2013 again).
        load_any: Whether `POST /model/load` may load any published version (dev only); elsewhere
            only the one that answers by the newest decision in the ledger.
        max_body_bytes: A larger request body is refused with 413.
        batch_max: The most flights in one request.
        max_batch_bytes: The same as `max_body_bytes` for a request with many flights.
        stale_min: Age of the newest event (minutes) from which a prediction counts as stale.
        outside_days: How many days after the newest known flight or event a flight may leave before
            its prediction is outside the data.
        job_hours: Retention of the result of an asynchronous prediction, in hours.
        idempotency_hours: How long a repeated request gets the first answer.
        history_page: Predictions on a page of the history when the caller names no limit.
        history_page_max: The most predictions on a page.
    """

    model_name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z")] = "ontime"
    store_uri: Annotated[str, Meta(min_length=1)] | None = None
    stores: StoreSettings = StoreSettings()
    access: AccessSettings = AccessSettings()
    limits: LimitSettings = LimitSettings()
    cors: CorsSettings = CorsSettings()
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] = 8000
    follow_seconds: Annotated[float, Meta(gt=0, le=60)] = 1.0
    allow_as_of: bool = False
    load_any: bool = False
    max_body_bytes: Annotated[int, Meta(ge=1024)] = 64 * 1024
    batch_max: Annotated[int, Meta(ge=1, le=1_000)] = 1_000
    max_batch_bytes: Annotated[int, Meta(ge=1024)] = 512 * 1024
    stale_min: Annotated[int, Meta(ge=1)] = 360
    outside_days: Annotated[int, Meta(ge=0, le=3650)] = 7
    job_hours: Annotated[float, Meta(gt=0)] = 24.0
    idempotency_hours: Annotated[float, Meta(gt=0)] = 24.0
    history_page: Annotated[int, Meta(ge=1)] = 20
    history_page_max: Annotated[int, Meta(ge=1)] = 100


_KEYS: Final = "ONTIME_API_KEYS"
_KEYS_FORM: Final = 'set it to a JSON object such as {"somebody": "<SHA-256 of the key>"}'
_ANY_KEY: Final = "<name>"
_UNKNOWN: Final = re.compile(r"unknown field `(?P<field>[^`]*)`")
_PLACE: Final = re.compile(r" - at `\$\.?(?P<place>[^`]*)`$")


def parse_serving(section: Mapping[str, Any]) -> ServingSettings:
    """Return the checked settings of a `serving` section.

    Raises:
        ConfError: Names the key, what is wrong with it, and what to do.
    """
    try:
        return msgspec.convert(section, ServingSettings)
    except msgspec.ValidationError as error:
        raise ConfError(_store_errors(str(error), section)) from error


def with_environment_keys(settings: ServingSettings) -> ServingSettings:
    """Return the settings with the API keys of `ONTIME_API_KEYS` added.

    Raises:
        ConfError: The variable cannot be read.
    """
    given = os.environ.get(_KEYS, "{}")
    try:
        keys = msgspec.json.decode(given, type=dict[str, KeyHash | KeySettings])
    except msgspec.MsgspecError as error:
        raise ConfError(f"{_KEYS} cannot be read ({error}): {_KEYS_FORM}.") from error
    access = msgspec.structs.replace(settings.access, keys=settings.access.keys | keys)
    return msgspec.structs.replace(settings, access=access)


def artifact_store_uri(settings: ServingSettings, home: Path) -> str:
    """Return where the artifact store is: as configured, else in the home folder."""
    return settings.store_uri or str(home / "store")


def _store_errors(message: str, section: Mapping[str, Any]) -> str:
    found = _PLACE.search(message)
    given = found["place"].replace("[...]", f".{_ANY_KEY}") if found else ""
    place = [part for part in given.split(".") if part]
    if unknown := _UNKNOWN.search(message):
        known = ", ".join(sorted(_fields(place)))
        key = ".".join(["serving", *place, unknown["field"]])
        return f"Unknown configuration key '{key}' in conf/: remove it or use one of: {known}."
    value: Any = section
    for part in place:
        if part != _ANY_KEY:
            value = value.get(part, "") if isinstance(value, dict) else ""
    key = ".".join(["serving", *place])
    reason = _PLACE.sub("", message)
    return f"Configuration key '{key}' = {value!r} is not valid: {reason}. Correct it in conf/."


def _fields(place: list[str]) -> list[str]:
    kind: Any = ServingSettings
    for part in place:
        if part == _ANY_KEY:
            kind = KeySettings  # the one struct that stands in a mapping
        else:
            kind = {each.name: each.type for each in msgspec.structs.fields(kind)}[part]
    return [each.name for each in msgspec.structs.fields(kind)]
