"""Checks that ledger, release document, packages and registry agree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from ontime_base.errors import OntimeError
from operations.ledger.ledger import PREFIX, Ledger, LedgerError, is_entry_key, read_ledger
from operations.ledger.state import state_at
from operations.release.decisions import known_run
from operations.release.reconciliation import aliases_of, document_of, require_known_head
from serving.models.model_package import read_model_package
from serving.models.release_document import ReleaseError, read_release

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.models.release_document import ReleasedVersion
    from serving.stores.artifacts.protocol import ArtifactStore


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check.

    Attributes:
        name: What was checked.
        holds: Whether it is as it should be.
        found: What was found, or what is wrong and how to repair it.
    """

    name: str
    holds: bool
    found: str


class KnownVersion(Protocol):
    """A version as recorded in the registry."""

    @property
    def run_id(self) -> str:
        """The run that made it."""


class Versions(Protocol):
    """The part of the registry that is read."""

    def get(self, version: str) -> KnownVersion:
        """Return a version; raises if there is none."""

    def version_of(self, alias: str) -> str | None:
        """Return the version with an alias; None if no version has it."""


def verify(
    store: ArtifactStore, versions: Versions, model: str, *, head: str | None = None
) -> tuple[Check, ...]:
    """Return the checks of the ledger, and of all that follows it.

    A broken ledger is the only check: nothing can be compared with it.

    Args:
        store: Ledger, release document and packages.
        versions: The registry.
        model: The registered model.
        head: A checksum that the ledger had at its end before, noted elsewhere; None if none was.

    Raises:
        StoreError: The store cannot be read.
    """
    try:
        ledger = read_ledger(store)
    except LedgerError as error:
        return (Check("ledger", holds=False, found=str(error)),)
    whole = f"{len(ledger.entries)} entries, each chained to the one before; ends with "
    checks = [Check("ledger", holds=True, found=f"{whole}{ledger.head}")]
    if head is not None:
        checks.append(_noted(ledger, head))
    foreign = [key for key in store.list(PREFIX) if not is_entry_key(key)]
    if foreign:
        found = f"{len(foreign)} objects are no entries and are ignored, such as {foreign[0]}"
        checks.append(Check("beside the ledger", holds=True, found=found))
    checks.append(_checked("release document", partial(_document, store, ledger)))
    release = state_at(ledger.entries).release
    for place, released in (("champion", release.champion), ("challenger", release.challenger)):
        if released is not None:
            intact = partial(_package, store, model, released)
            known = partial(_known, ledger, versions, model, released)
            checks.append(_checked(f"package of the {place}", intact))
            checks.append(_checked(f"registry has the {place}", known))
    checks.append(_checked("aliases", partial(_aliases, ledger, versions)))
    return tuple(checks)


def _checked(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, holds=True, found=check())
    except OntimeError as error:
        return Check(name, holds=False, found=str(error))


def _noted(ledger: Ledger, head: str) -> Check:
    if head in ledger.checksums:
        place = ledger.checksums.index(head) + 1
        return Check("noted end", holds=True, found=f"it is entry {place}")
    return Check(
        "noted end",
        holds=False,
        found=f"no entry has the checksum {head}: entries were removed or rewritten. Restore "
        "the objects under ledger/ from a backup of the artifact store.",
    )


def _document(store: ArtifactStore, ledger: Ledger) -> str:
    stored = read_release(store)
    document = stored.document if stored else None
    require_known_head(document, ledger)
    if document != document_of(ledger):
        raise ReleaseError(
            "It differs from the ledger: a run was killed, or somebody edited it. "
            "`ontime promote --force` writes it from the ledger."
        )
    return f"revision {document.revision} follows the ledger" if document else "none, as yet"


def _package(store: ArtifactStore, model: str, released: ReleasedVersion) -> str:
    version, sha256 = released.version, released.manifest_sha256
    read_model_package(store, model_name=model, version=version, manifest_sha256=sha256)
    return f"version {version}, all checksums hold"


def _known(ledger: Ledger, versions: Versions, model: str, released: ReleasedVersion) -> str:
    run_id = versions.get(released.version).run_id
    known_run(ledger, model, released.version, run_id)
    return f"version {released.version}, of run {run_id}"


def _aliases(ledger: Ledger, versions: Versions) -> str:
    wanted = aliases_of(state_at(ledger.entries))
    wrong = [
        f"{alias} is {versions.version_of(alias) or 'no version'}, not {version or 'none'}"
        for alias, version in wanted.items()
        if versions.version_of(alias) != version
    ]
    if wrong:
        raise LedgerError(
            f"{'; '.join(wrong)}: `ontime promote --force` makes them follow the ledger."
        )
    return ", ".join(f"{alias}: {version or 'none'}" for alias, version in wanted.items())
