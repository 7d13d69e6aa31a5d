"""Signature Version 4, as AWS documents it ("Authenticating Requests", AWS IAM user guide)."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import hmac
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.stores.aws.settings import AwsAccess

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


def signed_headers(
    access: AwsAccess,
    *,
    host: str,
    headers: Mapping[str, str],
    body: bytes,
    at: float,
    method: str = "POST",
    path: str = "/",
    query: str = "",
) -> dict[str, str]:
    """Return the headers of a signed request: those given, and what the signature adds.

    Args:
        access: Region, service and credentials.
        host: As in the Host header.
        headers: Headers to sign, names in lower case.
        body: The request body.
        at: Seconds since the epoch.
        method: The HTTP method.
        path: As sent, percent-encoded, without a query.
        query: As sent, percent-encoded, its parameters sorted.
    """
    credentials = access.credentials()
    time = dt.datetime.fromtimestamp(at, tz=dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    day = time[:8]
    signed = {**headers, "host": host, "x-amz-date": time}
    if credentials.session_token:
        signed["x-amz-security-token"] = credentials.session_token
    names = sorted(signed)
    canonical = "\n".join(
        [
            *(method, path, query),
            *(f"{name}:{signed[name].strip()}" for name in names),
            *("", ";".join(names), hashlib.sha256(body).hexdigest()),
        ]
    )
    scope = f"{day}/{access.region}/{access.service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"{_ALGORITHM}\n{time}\n{scope}\n{digest}"
    key = _signing_key(credentials.secret_key, day, access.region, access.service)
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    signed["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return signed


@functools.lru_cache(maxsize=8)
def _signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
