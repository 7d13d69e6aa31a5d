"""The contract of every artifact store, and what is the folder's own."""

from __future__ import annotations

import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from serving.stores.artifacts.local import FolderArtifactStore
from serving.stores.errors import (
    ConflictError,
    InvalidKeyError,
    ObjectExistsError,
    ObjectNotFoundError,
    StoreError,
)
from serving.stores.opening import open_artifact_store

if TYPE_CHECKING:
    from serving.stores.artifacts.protocol import ArtifactStore
    from tests.emulated_aws import EmulatedAws

ROOT = Path(__file__).resolve().parents[4]
KEY = "models/ontime/3/model.onnx"


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.aws)])
def artifacts(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    if request.param == "folder":
        return FolderArtifactStore(tmp_path / "store")
    aws: EmulatedAws = request.getfixturevalue("aws")
    bucket = f"ontime-{uuid.uuid4()}"
    aws.client("s3").create_bucket(Bucket=bucket)
    return open_artifact_store(f"s3://{bucket}/some/prefix")


def test_what_is_created_is_read_back(artifacts: ArtifactStore) -> None:
    # Given an object of any bytes
    body = bytes(range(256))
    # When it is created
    etag = artifacts.create(KEY, body)
    # Then it is read back, with the same tag each time
    assert artifacts.get(KEY).body == body
    assert artifacts.get(KEY).etag == etag


def test_an_empty_object_is_an_object(artifacts: ArtifactStore) -> None:
    artifacts.create("empty", b"")
    assert artifacts.get("empty").body == b""


@pytest.mark.parametrize("key", ["models/ontime/4/model.onnx", "models/ontime", KEY + "/below"])
def test_a_missing_object_is_named(artifacts: ArtifactStore, key: str) -> None:
    # Given a store with another object, When one is read that is not there, Then it is named
    artifacts.create(KEY, b"x")
    with pytest.raises(ObjectNotFoundError, match=key):
        artifacts.get(key)


def test_create_never_overwrites(artifacts: ArtifactStore) -> None:
    # Given an object
    artifacts.create(KEY, b"first")
    # When the same key is created again
    with pytest.raises(ObjectExistsError, match=KEY):
        artifacts.create(KEY, b"second")
    # Then the first is untouched
    assert artifacts.get(KEY).body == b"first"


def test_replace_needs_the_latest_tag(artifacts: ArtifactStore) -> None:
    # Given an object that was replaced once
    first = artifacts.create("release.json", b"1")
    second = artifacts.replace("release.json", b"2", first)
    # When someone who saw only the first replaces it
    with pytest.raises(ConflictError, match=r"release\.json"):
        artifacts.replace("release.json", b"lost", first)
    # Then the second stays, and its reader may replace it
    assert artifacts.get("release.json").body == b"2"
    artifacts.replace("release.json", b"3", second)
    assert artifacts.get("release.json").body == b"3"


def test_what_is_not_there_cannot_be_replaced(artifacts: ArtifactStore) -> None:
    with pytest.raises(ConflictError):
        artifacts.replace("release.json", b"1", "tag")


def test_keys_are_listed_by_prefix_in_order(artifacts: ArtifactStore) -> None:
    # Given keys in several folders
    for key in ("ledger/00000002.json", "ledger/00000001.json", "ledgers", "release.json"):
        artifacts.create(key, b"x")
    # Then a prefix is a prefix of the name, and not a folder
    assert artifacts.list("ledger/") == ["ledger/00000001.json", "ledger/00000002.json"]
    assert artifacts.list("ledger") == [
        "ledger/00000001.json",
        "ledger/00000002.json",
        "ledgers",
    ]
    assert artifacts.list("") == [*artifacts.list("ledger"), "release.json"]
    assert artifacts.list("nothing/") == []


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../up", "a/../b", "a//b", "a/", ".hidden", "a/.lock", "a\n", "ü"]
)
def test_a_key_is_a_plain_relative_name(artifacts: ArtifactStore, key: str) -> None:
    for use in (artifacts.get, lambda k: artifacts.create(k, b"")):
        with pytest.raises(InvalidKeyError, match="letters, digits"):
            use(key)


def test_of_many_creators_one_wins(artifacts: ArtifactStore) -> None:
    # Given sixteen writers that create the same key concurrently
    def create(number: int) -> int | None:
        try:
            artifacts.create(KEY, str(number).encode())
        except ObjectExistsError:
            return None
        return number

    with ThreadPoolExecutor(16) as pool:
        winners = [n for n in pool.map(create, range(16)) if n is not None]
    # Then one of them created it, and its bytes exist
    assert [str(n).encode() for n in winners] == [artifacts.get(KEY).body]


def test_no_conditional_replace_is_lost(artifacts: ArtifactStore) -> None:
    # Given a counter that eight writers increment, each retrying after a conflict
    artifacts.create("count", b"0")

    def count_up(_: int) -> None:
        while True:
            seen = artifacts.get("count")
            try:
                artifacts.replace("count", str(int(seen.body) + 1).encode(), seen.etag)
            except ConflictError:
                continue
            return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count_up, range(40)))
    # Then each is counted once
    assert artifacts.get("count").body == b"40"


def test_readers_see_a_whole_object_while_it_is_replaced(artifacts: ArtifactStore) -> None:
    # Given an object that is replaced all the time
    bodies = [bytes([n]) * 100_000 for n in range(5)]
    etag = artifacts.create("object", bodies[0])
    stop = threading.Event()

    def replace() -> None:
        current, turn = etag, 0
        while not stop.is_set():
            turn += 1
            current = artifacts.replace("object", bodies[turn % 5], current)

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        # Then every reading is one of the bodies, whole
        for _ in range(200):
            assert artifacts.get("object").body in bodies
    finally:
        stop.set()
        writer.join()


WRITER = """
import sys
from pathlib import Path
from serving.stores.artifacts.local import FolderArtifactStore
store = FolderArtifactStore(Path(sys.argv[1]))
etag = store.create("object", b"0" * 300_000)
print("ready", flush=True)
turn = 0
while True:
    turn += 1
    etag = store.replace("object", str(turn % 10).encode() * 300_000, etag)
    store.create(f"new/{turn}", b"n" * 300_000)
    print(turn, flush=True)
"""


def test_folder_holds_only_whole_objects_after_kill(tmp_path: Path) -> None:
    # Given a process that writes all the time
    command = [sys.executable, "-c", WRITER, str(tmp_path / "store")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        for turn in range(1, 20):
            assert int(writer.stdout.readline()) == turn
        # When it is killed
        writer.kill()
    # Then every object is whole, and another process may write immediately
    store = FolderArtifactStore(tmp_path / "store")
    seen = store.get("object")
    assert seen.body in {str(n).encode() * 300_000 for n in range(10)}
    assert all(store.get(key).body == b"n" * 300_000 for key in store.list("new/"))
    store.replace("object", b"next", seen.etag)


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    # Given a file where the folder should be, Then the error names it and the way out
    (tmp_path / "store").write_text("a file")
    store = FolderArtifactStore(tmp_path / "store")
    with pytest.raises(StoreError, match=r"(?s)store could not handle 'a'.*permissions"):
        store.create("a", b"x")


def test_key_below_an_object_is_refused(tmp_path: Path) -> None:
    store = FolderArtifactStore(tmp_path)
    store.create("a", b"x")
    with pytest.raises(StoreError, match="a/b"):
        store.create("a/b", b"x")


def test_store_is_opened_by_path_or_uri(tmp_path: Path) -> None:
    # Given one folder, named in two ways
    FolderArtifactStore(tmp_path / "a store").create("key", b"x")
    uri = (tmp_path / "a store").as_uri()
    # Then both find its objects
    assert open_artifact_store(uri).get("key").body == b"x"
    assert open_artifact_store(str(tmp_path / "a store")).get("key").body == b"x"


@pytest.mark.parametrize("uri", ["gopher://host/store", "file://elsewhere/store"])
def test_unknown_store_is_refused(uri: str) -> None:
    with pytest.raises(StoreError, match=uri):
        open_artifact_store(uri)
