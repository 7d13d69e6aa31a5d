"""Resolves a version number, an alias, `Staging` or `Production` to a released version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ontime_base.errors import OntimeError
from operations.ledger.state import state_at
from serving.models.release_document import ReleasedVersion
from training.registry.registry_backends import CHALLENGER, CHAMPION, alias_named

if TYPE_CHECKING:
    from operations.ledger.ledger import Ledger


class UnknownReleaseError(OntimeError):
    """No released version has that name."""


def version_named(word: str, ledger: Ledger) -> str:
    """Return the number of the version that a word names.

    Raises:
        RegistryError: The word is no alias.
        UnknownReleaseError: No version is released under that alias.
    """
    if word.isdigit():
        return word
    release = state_at(ledger.entries).release
    alias = alias_named(word)
    released = {CHALLENGER: release.challenger, CHAMPION: release.champion}[alias]
    if released is None:
        raise UnknownReleaseError(
            f"No version is released as {alias}: `ontime release ledger show` lists what is."
        )
    return released.version


def package_of(version: str, ledger: Ledger) -> ReleasedVersion:
    """Return a version with the checksum of the package that was released or published.

    Raises:
        UnknownReleaseError: It was never published.
    """
    release = state_at(ledger.entries).release
    for released in (release.champion, release.challenger):
        if released is not None and released.version == version:
            return released
    published = ledger.about(version, "published")
    if published is None:
        raise UnknownReleaseError(
            f"Version {version} was never published: `ontime publish` does, once its gates passed."
        )
    return ReleasedVersion(version, str(published.evidence["manifest_sha256"]))
