"""The artifact store in S3 as a server reads it: what boto3 wrote, without boto3."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from serving.models.model_package import list_versions, read_model_package
from serving.models.release_document import read_release
from serving.stores.artifacts.s3 import S3ArtifactStore
from serving.stores.artifacts.s3_signed import S3ArtifactReader
from serving.stores.aws.access import AwsAccess, Credentials
from serving.stores.errors import InvalidKeyError, ObjectNotFoundError, StoreError
from serving.stores.opening import open_artifact_store
from tests.serving.support import ROOT, release_version

pytestmark = pytest.mark.aws


def test_it_reads_what_the_pipeline_published(bucket: str) -> None:
    # Given a release that boto3 wrote
    written = S3ArtifactStore(bucket, "prod")
    released = release_version(written, "1")
    # When a server opens the store
    store = open_artifact_store(f"s3://{bucket}/prod", read_only=True)
    assert isinstance(store, S3ArtifactReader)
    # Then release and package are what was written, with the same etags
    release = read_release(store)
    assert release is not None
    assert release.document.champion == released
    assert store.get("release.json") == written.get("release.json")
    read_model_package(store, model_name="ontime", version="1")
    assert list_versions(store, model_name="ontime") == ["1"]


def test_a_listing_of_many_pages_holds_each_key_of_its_prefix_once(bucket: str) -> None:
    written = S3ArtifactStore(bucket, "a=b/c")
    keys = [f"ledger/{number:08d}.json" for number in range(7)]
    for key in keys:
        written.create(key, b"x")
    S3ArtifactStore(bucket, "a=b").create("other", b"x")
    store = S3ArtifactReader(bucket, "a=b/c", keys_per_page=3)
    assert store.list("ledger/") == keys
    assert store.list("") == keys
    assert store.list("nothing/") == []


def test_a_missing_object_and_a_refused_read_are_different_errors(bucket: str) -> None:
    store = S3ArtifactReader(bucket)
    with pytest.raises(ObjectNotFoundError, match=r"no object 'release\.json'"):
        store.get("release.json")
    with pytest.raises(InvalidKeyError):
        store.get("../release.json")
    with pytest.raises(StoreError, match="NoSuchBucket"):
        S3ArtifactReader(f"not-{bucket}").get("release.json")
    with pytest.raises(StoreError, match="NoSuchBucket"):
        S3ArtifactReader(f"not-{bucket}").list("")


def test_nothing_can_be_written(bucket: str) -> None:
    store = S3ArtifactReader(bucket)
    with pytest.raises(StoreError, match="only reads"):
        store.create("a", b"x")
    with pytest.raises(StoreError, match="only reads"):
        store.replace("a", b"x", "etag")


def test_an_unreachable_store_is_an_error_after_retries() -> None:
    access = AwsAccess("s3", "us-east-1", "http://127.0.0.1:9", lambda: Credentials("a", "b"))
    with pytest.raises(StoreError, match="in 4 tries"):
        S3ArtifactReader("bucket", access=access).get("release.json")


def test_a_bucket_of_aws_has_a_host_of_its_own_unless_its_name_has_dots() -> None:
    endpoint = "https://s3.us-east-1.amazonaws.com"
    access = AwsAccess("s3", "us-east-1", endpoint, lambda: Credentials("a", "b"))
    own, shared = (S3ArtifactReader(name, access=access) for name in ("ours", "o.urs"))
    assert (own._host, own._path) == ("ours.s3.us-east-1.amazonaws.com", "/")
    assert (shared._host, shared._path) == ("s3.us-east-1.amazonaws.com", "/o.urs/")


def test_boto3_is_not_imported_for_it(bucket: str) -> None:
    code = (
        "import sys\n"
        "from serving.stores.opening import open_artifact_store\n"
        f"open_artifact_store('s3://{bucket}', read_only=True).list('')\n"
        "assert not {'boto3', 'botocore'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={**os.environ}, check=True)
