"""A small client of AWS services that speak JSON over HTTP: DynamoDB and SQS.

It signs requests, reuses connections, applies time-outs, and retries with jitter. boto3 does the
same and takes half a second to import, which a cold start cannot afford (docs/adr/0016).

Signature Version 4, as AWS documents it ("Authenticating Requests", AWS IAM user guide).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import functools
import hashlib
import hmac
import http.client
import random
import time
import zlib
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from serving.stores.errors import ItemRefusedError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from serving.stores.aws.access import AwsAccess


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


_TARGETS: Final = {"dynamodb": "DynamoDB_20120810", "sqs": "AmazonSQS"}
_THROTTLED: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "ThrottlingException",
        "TransactionInProgressException",
    }
)
_CONTENT: Final = frozenset(
    {
        "BatchRequestTooLong",
        "InvalidMessageContents",
        "ItemCollectionSizeLimitExceededException",
        "SerializationException",
        "ValidationException",
    }
)
_CLOCK: Final = frozenset(
    {"InvalidSignatureException", "RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch"}
)
_SKEW_SECONDS: Final = 60
_SERVER_FAULT: Final = 500
_SLOT_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 1.0


class AwsError(StoreError):
    """AWS refused a request, or could not be reached.

    Args:
        message: What happened, in which service, and what to do.
        code: The kind of refusal, such as `ConditionalCheckFailedException`; empty when no answer
            came.
        answer: The answer, decoded.
    """

    def __init__(
        self, message: str, code: str = "", answer: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.answer = answer or {}


class AwsItemRefusedError(AwsError, ItemRefusedError):
    """AWS refused the content of this request: others may be taken."""


class _TryAgainError(Exception):
    """This attempt failed and a retry may succeed."""


class AwsClient:
    """Calls the operations of one service; may be used by several threads.

    Args:
        access: Endpoint and credentials.
        tries: Attempts per call.
        timeout_seconds: Time-out for connecting, and for each answer.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        access: AwsAccess,
        *,
        tries: int = 4,
        timeout_seconds: float = 2.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        parts = urlsplit(access.endpoint)
        self.access = access
        self._host = parts.netloc
        self._secure = parts.scheme == "https"
        self._tries = tries
        self._timeout = timeout_seconds
        self._clock = clock
        self._skew = 0.0  # added to this clock to get that of AWS
        self._idle: list[http.client.HTTPConnection] = []

    def call(
        self, operation: str, request: Mapping[str, object], *, extra_seconds: float = 0
    ) -> dict[str, Any]:
        """Return the decoded answer of an operation.

        A call whose answer was lost is retried: a conditional write must recognize its own earlier
        attempt.

        Args:
            operation: Such as `GetItem`.
            request: What the operation takes.
            extra_seconds: How much longer than usual the answer may take (long polling).

        Raises:
            AwsError: The service refused, or did not answer any attempt.
        """
        body = msgspec.json.encode(request)
        last: Exception | None = None
        for turn in range(self._tries):
            if turn:
                pause = min(_LONGEST_PAUSE_SECONDS, _SLOT_SECONDS * 2**turn)
                time.sleep(random.uniform(0, pause))  # noqa: S311 - jitter is no secret
            try:
                return self._once(operation, body, self._timeout + extra_seconds)
            except (_TryAgainError, OSError, http.client.HTTPException) as error:
                last = error
        raise AwsError(
            f"{self.access.service} at {self.access.endpoint} did not carry out {operation} in "
            f"{self._tries} tries: {last!r}. Check the network and the state of the service."
        ) from last

    def close(self) -> None:
        """Close the connections that are not in use."""
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _once(self, operation: str, body: bytes, timeout: float) -> dict[str, Any]:
        status, headers, text = self._sent(operation, body, timeout)
        if (sum_given := headers.get("x-amz-crc32")) and int(sum_given) != zlib.crc32(text):
            raise _TryAgainError("the answer was damaged on its way")
        try:
            answer = msgspec.json.decode(text or b"{}", type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise _TryAgainError(f"status {status} with an answer that is not JSON") from error
        if status < http.client.BAD_REQUEST:
            return answer
        code = str(answer.get("__type", "")).rpartition("#")[2]
        why = str(answer.get("message") or answer.get("Message") or "")
        if status >= _SERVER_FAULT or code in _THROTTLED:
            raise _TryAgainError(f"status {status}, {code}: {why}")
        if code in _CLOCK and self._set_clock_by(headers.get("date")):
            raise _TryAgainError(f"the clock of this machine is {self._skew:.0f} s behind AWS's")
        kind = AwsItemRefusedError if code in _CONTENT else AwsError
        raise kind(
            f"{self.access.service} refused {operation} ({code}): {why} Check that the table or "
            "queue exists, and that the credentials may use it.",
            code,
            answer,
        )

    def _sent(
        self, operation: str, body: bytes, timeout: float
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        headers = signed_headers(
            self.access,
            host=self._host,
            headers={
                "content-type": "application/x-amz-json-1.0",
                "x-amz-target": f"{_TARGETS[self.access.service]}.{operation}",
            },
            body=body,
            at=self._clock() + self._skew,
        )
        while True:
            connection, used = self._connection(timeout)
            try:
                connection.request("POST", "/", body, headers)
                response = connection.getresponse()
                text = response.read()
            except ConnectionError:
                connection.close()
                if not used:
                    raise
                self.close()  # AWS closes connections that were idle for long: all of these are old
                continue
            except BaseException:
                connection.close()
                raise
            if response.will_close:
                connection.close()
            else:
                self._idle.append(connection)
            return response.status, response.headers, text

    def _connection(self, timeout: float) -> tuple[http.client.HTTPConnection, bool]:
        """Return a connection, and whether it was used before."""
        with contextlib.suppress(IndexError):
            connection = self._idle.pop()
            if connection.sock is not None:
                connection.sock.settimeout(timeout)
                return connection, True
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        return kind(self._host, timeout=timeout), False

    def _set_clock_by(self, date: str | None) -> bool:
        """Correct the clock skew by the clock of AWS; return whether it changed."""
        if date is None:
            return False
        skew = email.utils.parsedate_to_datetime(date).timestamp() - self._clock()
        changed = abs(skew - self._skew) > _SKEW_SECONDS
        if changed:
            self._skew = skew
        return changed
