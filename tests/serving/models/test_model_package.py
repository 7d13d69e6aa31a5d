"""Model packages: written once, checked whenever they are read."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from serving.models.model_package import (
    CARD,
    FILES,
    MANIFEST,
    MODEL,
    ModelPackageError,
    list_versions,
    read_model_package,
    write_model_package,
)

if TYPE_CHECKING:
    from pathlib import Path

    from serving.stores.artifacts.local import FolderArtifactStore

CONTENT = {name: name.encode() for name in FILES}


def write(
    store: FolderArtifactStore, version: str = "3", files: dict[str, bytes] | None = None
) -> str:
    return write_model_package(
        store,
        model_name="ontime",
        version=version,
        run_id="r1",
        created_at="2014-01-01T00:00:00Z",
        files=CONTENT if files is None else files,
    )


def read(store: FolderArtifactStore, sha256: str | None = None) -> dict[str, bytes]:
    package = read_model_package(store, model_name="ontime", version="3", manifest_sha256=sha256)
    return package.files


def test_a_package_is_read_back(store: FolderArtifactStore) -> None:
    # Given a written package
    sha256 = write(store)
    # Then its files are read back under the checksum of its manifest
    package = read_model_package(store, model_name="ontime", version="3", manifest_sha256=sha256)
    assert package.files == CONTENT
    assert package.manifest_sha256 == sha256
    assert package.manifest.run_id == "r1"


def test_the_manifest_holds_what_anyone_can_check(store: FolderArtifactStore) -> None:
    # Given a package, Then sizes and checksums are recomputed from the objects alone
    sha256 = write(store)
    body = store.get("models/ontime/3/manifest.json").body
    assert hashlib.sha256(body).hexdigest() == sha256
    for name, file in json.loads(body)["files"].items():
        stored = store.get(f"models/ontime/3/{name}").body
        assert file == {"sha256": hashlib.sha256(stored).hexdigest(), "bytes": len(stored)}


def test_the_same_package_again_is_no_change(store: FolderArtifactStore) -> None:
    assert write(store) == write(store)


def test_a_package_half_written_is_finished(store: FolderArtifactStore) -> None:
    # Given a writer that was killed after the model
    store.create("models/ontime/3/model.onnx", CONTENT[MODEL])
    assert list_versions(store, model_name="ontime") == []
    # When it is written again, Then it is whole
    assert read(store, write(store)) == CONTENT


def test_what_a_killed_writer_left_gives_way_to_a_card_that_was_drawn_again(
    store: FolderArtifactStore,
) -> None:
    # Given a writer that was killed before the manifest, and a card that was drawn again since
    for name in FILES:
        store.create(f"models/ontime/3/{name}", CONTENT[name])
    newer = {**CONTENT, CARD: b"drawn again"}
    # When the version is written, Then the package is the new one, and it never changes after that
    sha256 = write(store, files=newer)
    assert read(store, sha256) == newer
    with pytest.raises(ModelPackageError, match=r"3/card\.html.*never changes"):
        write(store)
    assert read(store, sha256) == newer


class TwoWriters:
    """A store in which another writer of the same version is always a step ahead."""

    def __init__(self, store: FolderArtifactStore) -> None:
        self._store = store
        self.get, self.list, self.replace = store.get, store.list, store.replace

    def create(self, key: str, body: bytes) -> str:
        if key.endswith(MANIFEST):
            card = "models/ontime/3/card.html"
            self._store.replace(card, b"of the other", self._store.get(card).etag)
        return self._store.create(key, body)


def test_a_package_mixed_by_two_writers_is_reported_before_a_release(
    store: FolderArtifactStore,
) -> None:
    with pytest.raises(ModelPackageError, match=r"3/card\.html has"):
        write_model_package(
            TwoWriters(store),
            model_name="ontime",
            version="3",
            run_id="r1",
            created_at="2014-01-01T00:00:00Z",
            files=CONTENT,
        )


def test_other_bytes_for_a_version_are_refused(store: FolderArtifactStore) -> None:
    # Given a package, When the version is written with another model
    write(store)
    with pytest.raises(ModelPackageError, match=r"models/ontime/3/model\.onnx.*never changes"):
        write(store, files={**CONTENT, MODEL: b"other"})
    # Then the first stays
    assert read(store) == CONTENT


def test_a_file_left_out_is_refused(store: FolderArtifactStore) -> None:
    with pytest.raises(ModelPackageError, match=r"was given card\.html, contract"):
        write(store, files={name: b"" for name in FILES if name != MODEL})


def test_versions_are_listed_in_order(store: FolderArtifactStore) -> None:
    for version in ("10", "9", "1"):
        write(store, version)
    assert list_versions(store, model_name="ontime") == ["1", "9", "10"]
    assert list_versions(store, model_name="other") == []


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_every_missing_file_is_named(store: FolderArtifactStore, tmp_path: Path, name: str) -> None:
    write(store)
    (tmp_path / "store/models/ontime/3" / name).unlink()
    with pytest.raises(ModelPackageError, match=f"3/{name} is missing"):
        read(store)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", ["cut", "flipped"])
def test_every_damaged_file_is_named(
    store: FolderArtifactStore, tmp_path: Path, name: str, change: str
) -> None:
    # Given a package with one file cut short, or one bit of it flipped
    write(store)
    path = tmp_path / "store/models/ontime/3" / name
    body = bytearray(path.read_bytes())
    body[0] ^= 1
    path.write_bytes(body[:-1] if change == "cut" else body)
    # Then it is refused by name
    with pytest.raises(ModelPackageError, match=f"3/{name} has (bytes|checksum|[0-9]+ bytes)"):
        read(store)


def test_another_manifest_than_the_released_is_refused(store: FolderArtifactStore) -> None:
    write(store)
    with pytest.raises(ModelPackageError, match="not 00"):
        read(store, "00")


@pytest.mark.parametrize(
    ("manifest", "what"),
    [
        ({"model_name": "x"}, "is not a manifest"),
        (
            {
                "model_name": "other",
                "version": "3",
                "run_id": "",
                "created_at": "",
                "files": {},
            },
            "is of other 3",
        ),
        (
            {
                "model_name": "ontime",
                "version": "3",
                "run_id": "",
                "created_at": "",
                "files": {},
            },
            "does not list exactly",
        ),
    ],
)
def test_a_wrong_manifest_is_refused(
    store: FolderArtifactStore, manifest: dict[str, object], what: str
) -> None:
    store.create("models/ontime/3/manifest.json", json.dumps(manifest).encode())
    with pytest.raises(ModelPackageError, match=what):
        read(store)
