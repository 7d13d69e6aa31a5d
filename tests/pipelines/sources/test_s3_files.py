"""Source files in S3 are found page by page; each error is one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.sources.discovery import SourceError, find_files
from pipelines.sources.s3_files import S3FileSystem
from tests.pipelines.source_files import csv_text

if TYPE_CHECKING:
    from tests.emulated_aws import EmulatedAws

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.aws


def test_a_file_has_its_address_and_its_checksum(aws: EmulatedAws, bucket: str) -> None:
    aws.client("s3").put_object(Bucket=bucket, Key="a/x.csv", Body=csv_text().encode())
    (file,) = find_files([f"s3://{bucket}/a/"])
    assert (file.location, file.name) == (f"s3://{bucket}/a/x.csv", "x.csv")
    with file.open() as stream:
        assert stream.read() == csv_text().encode()


def test_more_objects_than_one_page_lists_are_found(aws: EmulatedAws, bucket: str) -> None:
    # Given more objects than one answer of S3 names
    for number in range(5):
        aws.client("s3").put_object(Bucket=bucket, Key=f"m/{number}.csv", Body=b"")
    # When the folder is listed / Then all are found
    found = S3FileSystem(keys_per_page=2).files_in(f"{bucket}/m")
    assert list(found) == [f"{bucket}/m/{number}.csv" for number in range(5)]


def test_a_missing_object_and_a_missing_bucket_are_named(bucket: str) -> None:
    with pytest.raises(SourceError, match=rf"There is no source file at s3://{bucket}/no\.csv:"):
        find_files([f"s3://{bucket}/no.csv"])
    nowhere = r"The source s3://no-such-bucket/a\.csv cannot be read: there is no bucket no-such-b"
    with pytest.raises(SourceError, match=nowhere):
        find_files(["s3://no-such-bucket/a.csv"])


def test_without_credentials_the_error_names_the_settings(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an environment without credentials of any kind
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    # When a location in S3 is searched / Then the error is one sentence
    sentence = r"cannot be read: there are no AWS credentials: set AWS_ACCESS_KEY_ID and"
    with pytest.raises(SourceError, match=sentence):
        find_files([f"s3://{bucket}/a.csv"])


@pytest.mark.parametrize(
    ("endpoint", "sentence"),
    [
        ("http://127.0.0.1:9", r"S3 does not answer \(Could not connect"),
        ("not a url", r"S3 does not answer \(Invalid endpoint"),
    ],
)
def test_a_store_that_does_not_answer_is_reported(
    bucket: str, monkeypatch: pytest.MonkeyPatch, endpoint: str, sentence: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(SourceError, match=sentence):
        find_files([f"s3://{bucket}/a.csv"])


def test_boto3_is_imported_for_s3_only() -> None:
    # Given a process that reads files of this machine / When they are found / Then it has no boto3
    code = (
        "import sys; from pipelines.sources.discovery import find_files; "
        "from pipelines.sources import staging;"
        "find_files(['conf:airports_supplement.csv']); assert 'boto3' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
