"""What is S3's own, besides the contract of every artifact store (test_artifacts.py)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from serving.stores.artifacts.s3 import S3ArtifactStore
from serving.stores.errors import ConflictError, ObjectExistsError, ObjectNotFoundError, StoreError
from serving.stores.opening import open_artifact_store

if TYPE_CHECKING:
    from tests.emulated_aws import EmulatedAws

ROOT = Path(__file__).resolve().parents[4]
pytestmark = pytest.mark.aws


def test_objects_lie_below_the_prefix_with_etags_of_s3(aws: EmulatedAws, bucket: str) -> None:
    # Given two stores in one bucket
    one, other = (open_artifact_store(f"s3://{bucket}/{name}/") for name in ("one", "one-more"))
    etag = one.create("a/b", b"x")
    # Then each sees its own, where boto3 finds it too
    assert (one.list(""), other.list("")) == (["a/b"], [])
    with pytest.raises(ObjectNotFoundError, match=f"s3://{bucket}/one-more"):
        other.get("a/b")
    found = aws.client("s3").get_object(Bucket=bucket, Key="one/a/b")
    assert (found["Body"].read(), found["ETag"]) == (b"x", etag)
    # And a store without a prefix sees all
    assert open_artifact_store(f"s3://{bucket}").list("one") == ["one/a/b"]


def test_a_listing_of_many_pages_holds_each_key_once(bucket: str) -> None:
    # Given more keys than a page holds
    store = S3ArtifactStore(bucket, keys_per_page=3)
    keys = [f"ledger/{number:08d}.json" for number in range(10)]
    for key in reversed(keys):
        store.create(key, b"x")
    assert store.list("ledger/") == keys


def test_a_retry_after_a_lost_answer_finds_its_own_object(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a connection that loses the answers to writes once S3 has carried them out
    store = S3ArtifactStore(bucket)
    etag = store.create("release.json", b"1")
    _lose_answers(store, monkeypatch, answers=1)
    # When boto3 sends such a write again, Then it counts as done, as it is
    assert store.replace("release.json", b"2", etag) == store.get("release.json").etag
    _lose_answers(store, monkeypatch, answers=1)
    assert store.create("new", b"3") == store.get("new").etag
    # And what another wrote is still refused
    _lose_answers(store, monkeypatch, answers=0, refusals=1)
    with pytest.raises(ObjectExistsError):
        store.create("new", b"other")
    _lose_answers(store, monkeypatch, answers=0, refusals=1)
    with pytest.raises(ConflictError):
        store.replace("release.json", b"4", etag)


def _lose_answers(
    store: S3ArtifactStore, monkeypatch: pytest.MonkeyPatch, *, answers: int, refusals: int = 0
) -> None:
    """Let S3 carry out the next requests, and replace its answers by status 500.

    Args:
        store: Whose requests.
        monkeypatch: Undoes it.
        answers: How many that S3 accepts.
        refusals: How many that S3 refuses.
    """
    session = store._s3._endpoint.http_session
    send = type(session).send.__get__(session)
    left = {True: answers, False: refusals}

    def losing(request: object) -> object:
        answer = send(request)
        accepted = answer.status_code < 400
        if left[accepted]:
            left[accepted] -= 1
            answer.status_code = 500
        return answer

    monkeypatch.setattr(session, "send", losing)


def test_a_bucket_that_is_not_there_is_named(aws: EmulatedAws) -> None:
    assert aws.url
    store = S3ArtifactStore("no-such-bucket")
    for use in (store.get, store.list, lambda key: store.create(key, b"")):
        with pytest.raises(StoreError, match=r"s3://no-such-bucket .*bucket exists"):
            use("a")


def test_an_aws_that_does_not_answer_is_named(
    aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert aws.url
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StoreError, match="AWS can be reached"):
        S3ArtifactStore("bucket").get("a")


def test_a_local_store_costs_no_boto3() -> None:
    # Given a process that opens a folder as its store, Then boto3 was not imported
    script = (
        "import sys; from serving.stores.opening import open_artifact_store as o; o('x');"
        "import serving.service.prediction_service;"
        " assert not {'boto3', 'botocore'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
