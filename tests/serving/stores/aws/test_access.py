"""How AWS is found."""

from __future__ import annotations

import pytest

from serving.stores.aws.access import Credentials, aws_access
from serving.stores.errors import StoreError

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
