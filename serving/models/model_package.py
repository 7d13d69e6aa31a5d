"""The model package: a model version as servers read it, checksummed and never changed.

`models/<model name>/<version>/` in the artifact store holds the model, its contract, its card, a
self-test and, written last, the manifest with the checksum of each: without a manifest there is no
package.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from ontime_base.errors import OntimeError
from serving.stores.errors import ObjectExistsError, ObjectNotFoundError

if TYPE_CHECKING:
    from serving.stores.artifacts.protocol import ArtifactStore

MODEL: Final = "model.onnx"
CONTRACT: Final = "contract.json"
CARD: Final = "card.html"
SELF_TEST: Final = "self_test.json"
MANIFEST: Final = "manifest.json"
FILES: Final = (MODEL, CONTRACT, CARD, SELF_TEST)


class ModelPackageError(OntimeError):
    """A model package is damaged, incomplete, or not what the release document names."""


class PackagedFile(msgspec.Struct, frozen=True):
    """Checksum and size of one file of a package."""

    sha256: str
    bytes: int


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True):
    """The manifest of a model package.

    Attributes:
        model_name: Registered model.
        version: Its version.
        run_id: Run that made it.
        created_at: When the version was registered, UTC.
        files: Checksum and size of each file.
        learned_from: Scheduled departure, UTC, from which on flights were learned from; None in a
            package of before this was recorded.
        learned_until: Scheduled departure before which they were.
    """

    model_name: str
    version: str
    run_id: str
    created_at: str
    files: dict[str, PackagedFile]
    learned_from: str | None = None
    learned_until: str | None = None


class SelfTest(msgspec.Struct, frozen=True):
    """Rows with the probabilities that the version gave them when it was exported.

    Attributes:
        rows: Feature values in the order of the contract; null is missing, strings as they are.
        probabilities: One per row.
    """

    rows: list[list[float | str | None]]
    probabilities: list[float]


@dataclass(frozen=True, slots=True)
class ModelPackage:
    """A package with every checksum verified.

    Attributes:
        manifest: Its manifest.
        manifest_sha256: Checksum of the manifest: names the package with all it holds.
        files: Bytes of each file.
    """

    manifest: Manifest
    manifest_sha256: str
    files: dict[str, bytes]


def write_model_package(
    store: ArtifactStore,
    *,
    model_name: str,
    version: str,
    run_id: str,
    created_at: str,
    files: dict[str, bytes],
    learned: tuple[str, str] | None = None,
) -> str:
    """Store a package and return the checksum of its manifest; idempotent.

    A writer that was killed leaves files without a manifest: they are replaced.

    Args:
        store: Where to.
        model_name: Registered model.
        version: Its version.
        run_id: Run that made it.
        created_at: When the version was registered, UTC; fixed, or a rerun would differ.
        files: The bytes of each of `FILES`.
        learned: Scheduled departures, UTC, between which the flights lie that it has learned from;
            None if that is not known.

    Raises:
        ModelPackageError: Other bytes are stored as this version already, or are being stored right
            now, or a file is left out.
        StoreError: The store cannot be written.
    """
    if set(files) != set(FILES):
        raise ModelPackageError(
            f"A model package holds {', '.join(FILES)}; {model_name} {version} was given "
            f"{', '.join(sorted(files))}."
        )
    packaged = {name: PackagedFile(_sha256(files[name]), len(files[name])) for name in FILES}
    since, until = learned or (None, None)
    manifest = Manifest(model_name, version, run_id, created_at, packaged, since, until)
    body = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    folder = _folder(model_name, version)
    put = _create_or_same if store.list(f"{folder}{MANIFEST}") else _create_or_replace
    for name in FILES:
        put(store, f"{folder}{name}", files[name])
    _create_or_same(store, f"{folder}{MANIFEST}", body)
    # Of two concurrent writers one wrote the manifest, and the files may be those of the other.
    read_model_package(store, model_name=model_name, version=version, manifest_sha256=_sha256(body))
    return _sha256(body)


def read_model_package(
    store: ArtifactStore, *, model_name: str, version: str, manifest_sha256: str | None = None
) -> ModelPackage:
    """Return a package, every file checked against the manifest.

    Args:
        store: Where from.
        model_name: Registered model.
        version: Its version.
        manifest_sha256: Checksum in the release document; None does not check it.

    Raises:
        ModelPackageError: The package is not there, incomplete, damaged, or another one.
        StoreError: The store cannot be read.
    """
    folder = _folder(model_name, version)
    body = _read(store, f"{folder}{MANIFEST}")
    found = _sha256(body)
    if manifest_sha256 not in {None, found}:
        raise _damaged(f"{folder}{MANIFEST}", f"has checksum {found}, not {manifest_sha256}")
    try:
        manifest = msgspec.json.decode(body, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _damaged(f"{folder}{MANIFEST}", f"is not a manifest: {error}") from error
    if (manifest.model_name, manifest.version) != (model_name, version):
        raise _damaged(f"{folder}{MANIFEST}", f"is of {manifest.model_name} {manifest.version}")
    if set(manifest.files) != set(FILES):
        raise _damaged(f"{folder}{MANIFEST}", f"does not list exactly {', '.join(FILES)}")
    files = {name: _read_checked(store, folder, name, manifest.files[name]) for name in FILES}
    return ModelPackage(manifest, found, files)


def list_versions(store: ArtifactStore, *, model_name: str) -> list[str]:
    """Return the versions with a complete package, newest last.

    Raises:
        StoreError: The store cannot be read.
    """
    keys = store.list(f"models/{model_name}/")
    versions = [key.split("/")[2] for key in keys if key.endswith(f"/{MANIFEST}")]
    return sorted(versions, key=lambda version: (not version.isdigit(), len(version), version))


def _folder(model_name: str, version: str) -> str:
    return f"models/{model_name}/{version}/"


def _read(store: ArtifactStore, key: str) -> bytes:
    try:
        return store.get(key).body
    except ObjectNotFoundError as error:
        raise _damaged(key, "is missing") from error


def _read_checked(store: ArtifactStore, folder: str, name: str, expected: PackagedFile) -> bytes:
    body = _read(store, f"{folder}{name}")
    if len(body) != expected.bytes:
        raise _damaged(f"{folder}{name}", f"has {len(body)} bytes, not {expected.bytes}")
    if _sha256(body) != expected.sha256:
        raise _damaged(f"{folder}{name}", f"has checksum {_sha256(body)}, not {expected.sha256}")
    return body


def _create_or_replace(store: ArtifactStore, key: str, body: bytes) -> None:
    """Store a file of a package without a manifest, replacing what a killed writer left."""
    try:
        store.create(key, body)
    except ObjectExistsError:
        left = store.get(key)
        if left.body != body:
            store.replace(key, body, left.etag)


def _create_or_same(store: ArtifactStore, key: str, body: bytes) -> None:
    try:
        store.create(key, body)
    except ObjectExistsError as error:
        if store.get(key).body != body:
            raise ModelPackageError(
                f"The artifact store holds other bytes as {key}: a published version never "
                "changes; register a new version and publish that."
            ) from error


def _damaged(key: str, what: str) -> ModelPackageError:
    return ModelPackageError(
        f"The model package cannot be served: {key} {what}. Restore this object, or publish "
        "another version."
    )


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
