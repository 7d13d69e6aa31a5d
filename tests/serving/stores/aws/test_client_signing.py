"""Signatures are those of botocore."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from serving.stores.aws.access import AwsAccess, Credentials
from serving.stores.aws.client import signed_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

AT = 1_700_000_000.0
PRINTABLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)


def by_botocore(
    monkeypatch: pytest.MonkeyPatch, access: AwsAccess, headers: Mapping[str, str], body: bytes
) -> str:
    """Return the authorization that botocore gives the same request at the same time."""
    given_credentials = access.credentials()
    signer = SigV4Auth(
        BotoCredentials(
            given_credentials.access_key,
            given_credentials.secret_key,
            given_credentials.session_token,
        ),
        access.service,
        access.region,
    )
    request = AWSRequest("POST", access.endpoint + "/", headers=dict(headers), data=body)
    now = dt.datetime.fromtimestamp(AT, tz=dt.UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: now)
    signer.add_auth(request)
    return str(request.headers["Authorization"])


@pytest.mark.parametrize("token", [None, "a/session+token=="])
@pytest.mark.parametrize("service", ["dynamodb", "sqs"])
@given(body=st.binary(max_size=200), secret=PRINTABLE, target=PRINTABLE)
def test_signature_is_that_of_botocore(
    token: str | None, service: str, body: bytes, secret: str, target: str
) -> None:
    # Given any request
    credentials = Credentials("AKID", secret, token)
    host = f"{service}.eu-west-1.amazonaws.com"
    access = AwsAccess(service, "eu-west-1", f"https://{host}", lambda: credentials)
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": target}
    # When it is signed here and by botocore
    ours = signed_headers(access, host=host, headers=headers, body=body, at=AT)
    with pytest.MonkeyPatch.context() as patch:
        theirs = by_botocore(patch, access, headers, body)
    # Then the signatures are the same
    assert ours["authorization"] == theirs


def test_credentials_are_not_shown() -> None:
    assert "secret" not in repr(Credentials("id", "secret", "secret"))
