"""The release document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from serving.models.release_document import (
    RELEASE_KEY,
    ReleaseDocument,
    ReleasedVersion,
    ReleaseError,
    read_release,
    write_release,
)

if TYPE_CHECKING:
    from serving.stores.artifacts.local import FolderArtifactStore


def document(revision: int = 1) -> ReleaseDocument:
    return ReleaseDocument(
        revision=revision,
        champion=ReleasedVersion("3", "ab"),
        challenger=None,
        challenger_weight=0.0,
        ledger_head="cd",
        updated_at="2014-01-01T00:00:00Z",
    )


def changed(**fields: object) -> bytes:
    return json.dumps({**msgspec.to_builtins(document()), **fields}).encode()


def test_nothing_is_released_at_first(store: FolderArtifactStore) -> None:
    assert read_release(store) is None


def test_the_document_is_read_back(store: FolderArtifactStore) -> None:
    # Given a document that was written
    etag = write_release(store, document(), after=None)
    # Then it is read back, and resolves an alias to its version
    stored = read_release(store)
    assert stored is not None
    assert (stored.document, stored.etag) == (document(), etag)
    assert stored.document.version_of("champion") == ReleasedVersion("3", "ab")
    assert stored.document.version_of("challenger") is None


def test_the_format_is_the_published_one(store: FolderArtifactStore) -> None:
    write_release(store, document(), after=None)
    assert json.loads(store.get(RELEASE_KEY).body) == {
        "schema": 1,
        "revision": 1,
        "champion": {"version": "3", "manifest_sha256": "ab"},
        "challenger": None,
        "challenger_weight": 0.0,
        "ledger_head": "cd",
        "updated_at": "2014-01-01T00:00:00Z",
    }


def test_a_write_based_on_an_older_document_is_refused(store: FolderArtifactStore) -> None:
    # Given a document that was replaced since
    first = write_release(store, document(1), after=None)
    write_release(store, document(2), after=first)
    # When someone writes who saw the first, or none
    for seen in (first, None):
        with pytest.raises(ReleaseError, match="revision 9"):
            write_release(store, document(9), after=seen)
    # Then the latest stays
    stored = read_release(store)
    assert stored is not None
    assert stored.document.revision == 2


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"revision": 1}',
        changed(schema=2),
        changed(challenger_weight=1.5),
        changed(champion="3"),
        changed(surprise=1),
    ],
)
def test_an_invalid_release_document_is_refused(store: FolderArtifactStore, body: bytes) -> None:
    store.create(RELEASE_KEY, body)
    with pytest.raises(ReleaseError, match="not a release document"):
        read_release(store)
