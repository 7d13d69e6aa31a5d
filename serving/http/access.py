"""Authentication by API keys, of which only hashes are configured.

A key is sent as `Authorization: Bearer <key>`, as `X-Api-Key: <key>`, or as the password of Basic
authentication, for which a browser prompts. Keys are long and random, so one round
of SHA-256 is enough to store them by.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Final

from ontime_base.errors import OntimeError
from serving.schema.problems import ForbiddenError, UnauthorizedError
from serving.settings import SCOPES, KeySettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.http.messages import Request
    from serving.settings import Scope

_CHALLENGE: Final = ((b"www-authenticate", b'Basic realm="ontime", charset="UTF-8"'),)
_KEY_BYTES: Final = 32
_LONGEST_KEY: Final = 200
_ALL: Final = frozenset(SCOPES)


class AccessError(OntimeError):
    """API keys are required, and none is configured."""


class Access:
    """Identifies callers by their keys.

    Args:
        required: Whether a caller needs a key.
        keys: Each key by the name of its owner: its SHA-256 in hex, or that with its scopes.

    Raises:
        AccessError: A key is required and there is none.
    """

    def __init__(self, *, required: bool, keys: Mapping[str, str | KeySettings]) -> None:
        if required and not keys:
            raise AccessError(
                "This environment asks callers for an API key, and none is configured: make one "
                "with `ontime api-key somebody`, and put its hash into serving.access.keys or "
                "the environment variable ONTIME_API_KEYS; or set serving.access.required to "
                "false."
            )
        self._required = required
        known = {
            name: KeySettings(sha256=key) if isinstance(key, str) else key
            for name, key in keys.items()
        }
        self._keys = [(name, bytes.fromhex(key.sha256)) for name, key in known.items()]
        self._scopes = {name: frozenset(key.scopes) for name, key in known.items()}

    def caller(self, request: Request) -> str:
        """Return the caller: the name of its key, or its address where no key is required.

        Raises:
            UnauthorizedError: No valid key was sent.
        """
        if not self._required:
            request.scopes = _ALL
            return request.client
        name = self._name_of(_given_key(request))
        if name is None:
            raise UnauthorizedError(
                "This service requires a valid API key: send the header "
                "'Authorization: Bearer <key>', and get a key from whoever runs the service.",
                headers=_CHALLENGE,
            )
        request.log_fields["key"] = name
        request.scopes = self._scopes[name]
        return f"key:{name}"

    def _name_of(self, key: bytes) -> str | None:
        given, found = hashlib.sha256(key).digest(), None
        for name, digest in self._keys:  # compare with all of them: constant time
            if hmac.compare_digest(digest, given):
                found = name
        return found if key else None


def require_scope(request: Request, scope: Scope | None) -> None:
    """Refuse a request whose key does not allow an operation.

    Args:
        request: Its caller is known.
        scope: What the operation needs; None: any key.

    Raises:
        ForbiddenError: Names the scope.
    """
    if scope is not None and scope not in request.scopes:
        allowed = ", ".join(sorted(request.scopes)) or "nothing"
        raise ForbiddenError(
            f"This needs a key with the scope '{scope}', and this one allows {allowed}: use "
            "another key, or ask whoever runs the service to add the scope."
        )


def new_key() -> tuple[str, str]:
    """Return a new key and its hash, which is what to configure."""
    key = secrets.token_urlsafe(_KEY_BYTES)
    return key, hashlib.sha256(key.encode()).hexdigest()


def _given_key(request: Request) -> bytes:
    if key := request.headers.get(b"x-api-key", b""):
        return key if len(key) <= _LONGEST_KEY else b""
    scheme, _, credentials = request.headers.get(b"authorization", b"").partition(b" ")
    if len(credentials) > 2 * _LONGEST_KEY:
        return b""
    if scheme.lower() == b"bearer":
        return credentials.strip()
    if scheme.lower() == b"basic":
        try:
            return base64.b64decode(credentials, validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""
