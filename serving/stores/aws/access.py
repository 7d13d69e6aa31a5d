"""Access to AWS: region, endpoint and credentials, from the standard environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from serving.stores.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

_CHINA: Final = "cn-"


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """AWS credentials; never logged.

    Attributes:
        access_key: Id of the key.
        secret_key: Secret of the key.
        session_token: Token of temporary credentials.
    """

    access_key: str
    secret_key: str
    session_token: str | None = None


@dataclass(frozen=True, slots=True)
class AwsAccess:
    """Access to one service of AWS.

    Attributes:
        service: Its name in endpoints and signatures, such as `dynamodb`.
        region: The region.
        endpoint: Scheme, host and perhaps port.
        credentials: Returns the current credentials; those of a role are renewed.
    """

    service: str
    region: str
    endpoint: str
    credentials: Callable[[], Credentials]


def aws_access(service: str) -> AwsAccess:
    """Return the access to a service from the environment (`AWS_REGION`, `AWS_ENDPOINT_URL`, …).

    Without keys in the environment (a container or a machine with a role), botocore finds them.

    Raises:
        StoreError: No region, or no credentials.
    """
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise StoreError("AWS stores are configured and AWS_REGION is not set: set it.")
    endpoint = (
        os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}")
        or os.environ.get("AWS_ENDPOINT_URL")
        or f"https://{service}.{region}.amazonaws.com{'.cn' if region.startswith(_CHINA) else ''}"
    )
    return AwsAccess(service, region, endpoint, _credentials())


def _credentials() -> Callable[[], Credentials]:
    access_key = os.environ.get("AWS_ACCESS_KEY_ID")
    secret_key = os.environ.get("AWS_SECRET_ACCESS_KEY")
    if access_key and secret_key:
        given = Credentials(access_key, secret_key, os.environ.get("AWS_SESSION_TOKEN") or None)
        return lambda: given
    from botocore.session import get_session  # noqa: PLC0415 - slow, and rarely needed

    try:
        found = get_session().get_credentials()
    except Exception as error:
        raise StoreError(
            f"AWS stores are configured and looking for credentials failed ({error}): correct the "
            "configuration of AWS, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        ) from error
    if found is None:
        raise StoreError(
            "AWS stores are configured and no credentials are found: set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or give the function or container a role."
        )

    def renewed() -> Credentials:
        try:
            now = found.get_frozen_credentials()
        except Exception as error:
            raise StoreError(
                f"The credentials of AWS could not be renewed ({error}): check the role of the "
                "function or container, or the process that gives them."
            ) from error
        return Credentials(now.access_key, now.secret_key, now.token)

    return renewed
