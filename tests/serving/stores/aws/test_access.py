"""How AWS is found."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from serving.stores.aws.access import Credentials, aws_access
from serving.stores.aws.client import AwsClient
from serving.stores.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

NAMES = (
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    return monkeypatch


def test_a_function_in_aws_has_all_in_its_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AWS_SESSION_TOKEN", "token")
    access = aws_access("dynamodb")
    assert access.endpoint == "https://dynamodb.eu-west-1.amazonaws.com"
    found = access.credentials()
    assert (found.access_key, found.secret_key, found.session_token) == ("id", "key", "token")


@pytest.mark.parametrize(
    ("name", "value", "endpoint"),
    [
        ("AWS_REGION", "cn-north-1", "https://dynamodb.cn-north-1.amazonaws.com.cn"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:2", "http://127.0.0.1:2"),
    ],
)
def test_endpoints(environment: pytest.MonkeyPatch, name: str, value: str, endpoint: str) -> None:
    environment.setenv(name, value)
    assert aws_access("dynamodb").endpoint == endpoint


def test_a_missing_region_is_reported(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("AWS_REGION")
    with pytest.raises(StoreError, match="AWS_REGION"):
        aws_access("dynamodb")


def test_botocore_finds_credentials_elsewhere(
    environment: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # Given no keys in the environment, and a file of credentials
    folder = tmp_path_factory.mktemp("aws")
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
    environment.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    environment.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
    with pytest.raises(StoreError, match="give the function or container a role"):
        aws_access("dynamodb")
    (folder / "credentials").write_text(
        "[default]\naws_access_key_id=a\naws_secret_access_key=b\n"  # pragma: allowlist secret
    )
    assert aws_access("dynamodb").credentials() == Credentials("a", "b", None)


def test_credentials_that_cannot_be_renewed_are_an_outage(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Given a process that gives credentials once, which are about to expire
    environment.delenv("AWS_ACCESS_KEY_ID")
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
    given = {"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b", "Expiration": soon}
    (tmp_path / "give.sh").write_text(
        f"[ -e {tmp_path}/given ] && exit 1\ntouch {tmp_path}/given\necho '{json.dumps(given)}'\n"
    )
    config = f"[default]\ncredential_process = /bin/sh {tmp_path}/give.sh\n"
    (tmp_path / "config").write_text(config)
    environment.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    environment.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    access = aws_access("dynamodb")
    # When they are renewed / Then the error is the store's, for a call as well
    with pytest.raises(StoreError, match="could not be renewed"):
        access.credentials()
    with pytest.raises(StoreError, match="could not be renewed"):
        AwsClient(access).call("GetItem", {})
