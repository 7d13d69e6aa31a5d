"""The release document: which model versions answer, and how traffic is split between them.

One small JSON object in the artifact store. Publishing and promoting replace it by a conditional
write; every server polls it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec

from ontime_base.errors import OntimeError
from serving.stores.errors import ConflictError, ObjectExistsError, ObjectNotFoundError

if TYPE_CHECKING:
    from serving.stores.artifacts.protocol import ArtifactStore

RELEASE_KEY: Final = "release.json"


class ReleaseError(OntimeError):
    """The release document cannot be read, or changed while it was being replaced."""


class ReleasedVersion(msgspec.Struct, frozen=True):
    """A model version that servers may answer with.

    Attributes:
        version: Version of the registered model.
        manifest_sha256: Checksum of its manifest, which holds the checksums of its files.
    """

    version: str
    manifest_sha256: str


class ReleaseDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The released versions.

    Attributes:
        revision: Counts the changes, from 1.
        champion: The version that answers; None before the first promotion.
        challenger: The version on trial; None when there is none.
        challenger_weight: Share of the flights that the challenger answers, 0 to 1.
        ledger_head: Checksum of the ledger entry that this document follows from.
        updated_at: When it was written, UTC.
    """

    schema: Literal[1] = 1
    revision: int
    champion: ReleasedVersion | None
    challenger: ReleasedVersion | None
    challenger_weight: Annotated[float, msgspec.Meta(ge=0, le=1)]
    ledger_head: str
    updated_at: str

    def version_of(self, alias: Literal["champion", "challenger"]) -> ReleasedVersion | None:
        """Return the version with this alias; None when there is none."""
        return self.champion if alias == "champion" else self.challenger


@dataclass(frozen=True, slots=True)
class StoredRelease:
    """The release document as read.

    Attributes:
        document: The document.
        etag: Named by a conditional replace.
    """

    document: ReleaseDocument
    etag: str


def read_release(store: ArtifactStore) -> StoredRelease | None:
    """Return the release document with its etag; None before anything was released.

    Raises:
        ReleaseError: What is stored is not a release document.
        StoreError: The store cannot be read.
    """
    try:
        stored = store.get(RELEASE_KEY)
    except ObjectNotFoundError:
        return None
    try:
        document = msgspec.json.decode(stored.body, type=ReleaseDocument)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ReleaseError(
            f"The object {RELEASE_KEY} in the artifact store is not a release document ({error}): "
            "run the publish stage again, which writes it from the ledger."
        ) from error
    return StoredRelease(document, stored.etag)


def write_release(store: ArtifactStore, document: ReleaseDocument, *, after: str | None) -> str:
    """Store the release document atomically, and return its etag.

    Args:
        store: Where to.
        document: The new document.
        after: Etag of the document it was decided from; None when there was none.

    Raises:
        ReleaseError: Another change came first; nothing is written.
        StoreError: The store cannot be written.
    """
    body = msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
    try:
        if after is None:
            return store.create(RELEASE_KEY, body)
        return store.replace(RELEASE_KEY, body, after)
    except (ConflictError, ObjectExistsError) as error:
        raise ReleaseError(
            "The release document changed while revision "
            f"{document.revision} was being written: read it again and decide again."
        ) from error
