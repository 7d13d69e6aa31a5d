from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from operations.ledger.ledger import key_of
from operations.release.reconciliation import follow_ledger
from operations.release.verification import Check, verify
from serving.models.release_document import RELEASE_KEY, ReleasedVersion
from tests.serving.support import publish
from training.registry.registry_errors import RegistryError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.operations.ledger_world import LedgerWorld


@dataclass
class Version:
    run_id: str


@dataclass
class Versions:
    """A registry in memory: runs and aliases."""

    runs: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)

    def get(self, version: str) -> Version:
        if version not in self.runs:
            raise RegistryError(f"Model ontime has no version {version} in the registry.")
        return Version(self.runs[version])

    def version_of(self, alias: str) -> str | None:
        return self.aliases.get(alias)

    def point(self, alias: str, version: str | None) -> None:
        self.aliases.pop(alias, None)
        if version is not None:
            self.aliases[alias] = version


@pytest.fixture
def versions(world: LedgerWorld) -> Versions:
    """A champion and a challenger, all as it should be."""
    versions = Versions()
    for number in ("1", "2"):
        versions.runs[number] = f"run-{number}"
        released = ReleasedVersion(number, publish(world.store, number))
        world.publish(released)
        if number == "1":
            world.pipeline.promoted(released, rollout="direct", reason="gates passed")
    follow_ledger(world.store, versions)
    return versions


def wrong(world: LedgerWorld, versions: Versions, head: str | None = None) -> dict[str, str]:
    """Return the problems, by what was verified."""
    checks = verify(world.store, versions, "ontime", head=head)
    return {check.name: check.found for check in checks if not check.holds}


def test_every_check_is_reported(world: LedgerWorld, versions: Versions) -> None:
    checks = verify(world.store, versions, "ontime", head=world.ledger.checksums[2])
    assert all(check.holds for check in checks)
    assert [check.name for check in checks] == [
        "ledger",
        "noted end",
        "release document",
        "package of the champion",
        "registry has the champion",
        "package of the challenger",
        "registry has the challenger",
        "aliases",
    ]
    found = f"7 entries, each chained to the one before; ends with {world.ledger.head}"
    assert checks[0] == Check("ledger", holds=True, found=found)
    assert checks[1].found == "it is entry 3"


def test_without_a_release_no_problem_is_reported(world: LedgerWorld) -> None:
    assert wrong(world, Versions()) == {}


@pytest.mark.parametrize("sequence", range(1, 7))
def test_a_changed_entry_is_reported(
    world: LedgerWorld, versions: Versions, tmp_path: Path, sequence: int
) -> None:
    # Given one entry whose author was changed
    path = tmp_path / "store" / key_of(sequence)
    entry = json.loads(path.read_bytes())
    path.write_text(json.dumps({**entry, "by": "Mallory"}))
    # When it is verified, Then the entry after it does not follow it
    found = wrong(world, versions)
    assert f"{key_of(sequence + 1)} does not follow the entry before it" in found["ledger"]
    assert list(found) == ["ledger"]


def test_the_newest_entry_that_was_changed_is_reported_by_the_document_or_the_noted_end(
    world: LedgerWorld, versions: Versions, tmp_path: Path
) -> None:
    # Given the newest entry changed, which no entry follows
    noted = world.ledger.head
    path = tmp_path / "store" / key_of(7)
    path.write_text(path.read_text().replace("pipeline", "Mallory "))
    # Then the release document does not know it, nor does who noted the end
    found = wrong(world, versions, head=noted)
    assert "no longer has" in found["release document"]
    assert "entries were removed or rewritten" in found["noted end"]


def test_a_removed_entry_is_reported(
    world: LedgerWorld, versions: Versions, tmp_path: Path
) -> None:
    (tmp_path / "store" / key_of(3)).unlink()
    assert f"{key_of(3)} is missing" in wrong(world, versions)["ledger"]


def test_two_entries_that_changed_places_are_reported(
    world: LedgerWorld, versions: Versions, tmp_path: Path
) -> None:
    one, two = (tmp_path / "store" / key_of(n) for n in (2, 3))
    bodies = one.read_bytes(), two.read_bytes()
    two.write_bytes(bodies[0])
    one.write_bytes(bodies[1])
    assert f"{key_of(2)} does not follow" in wrong(world, versions)["ledger"]


def test_an_inserted_entry_is_reported(
    world: LedgerWorld, versions: Versions, tmp_path: Path
) -> None:
    # Given an approval put between two entries, those after it moved up
    folder = tmp_path / "store"
    for sequence in range(7, 2, -1):
        (folder / key_of(sequence)).rename(folder / key_of(sequence + 1))
    before = json.loads((folder / key_of(2)).read_bytes())
    (folder / key_of(3)).write_text(json.dumps({**before, "sequence": 3, "kind": "approved"}))
    assert f"{key_of(3)} does not follow" in wrong(world, versions)["ledger"]


def test_a_tail_that_was_truncated_is_reported_by_the_document(
    world: LedgerWorld, versions: Versions, tmp_path: Path
) -> None:
    (tmp_path / "store" / key_of(7)).unlink()
    assert "no longer has (it ends at entry 6)" in wrong(world, versions)["release document"]


def test_a_tail_without_releases_is_reported_only_by_the_noted_end(
    world: LedgerWorld, versions: Versions, tmp_path: Path
) -> None:
    world.pipeline.gated("2", passed=False, reasons=("too slow",), figures={})
    noted = world.ledger.head
    (tmp_path / "store" / key_of(8)).unlink()
    assert "noted end" not in wrong(world, versions)
    assert "noted end" in wrong(world, versions, head=noted)


def test_a_manually_edited_document_is_reported(world: LedgerWorld, versions: Versions) -> None:
    stored = world.store.get(RELEASE_KEY)
    body = stored.body.replace(b'"challenger_weight": 0.0', b'"challenger_weight": 0.5')
    world.store.replace(RELEASE_KEY, body, stored.etag)
    assert "It differs from the ledger" in wrong(world, versions)["release document"]


def test_a_released_version_that_was_deleted_from_the_registry_is_reported(
    world: LedgerWorld, versions: Versions
) -> None:
    del versions.runs["1"]
    found = wrong(world, versions)
    assert found == {"registry has the champion": "Model ontime has no version 1 in the registry."}


def test_a_registry_that_counted_again_is_reported(world: LedgerWorld, versions: Versions) -> None:
    versions.runs["2"] = "run-of-another"
    assert "do not belong together" in wrong(world, versions)["registry has the challenger"]


def test_a_damaged_package_is_reported(
    world: LedgerWorld, versions: Versions, tmp_path: Path
) -> None:
    (tmp_path / "store" / "models" / "ontime" / "1" / "model.onnx").write_bytes(b"cut")
    assert "1/model.onnx has 3 bytes" in wrong(world, versions)["package of the champion"]


def test_manually_moved_aliases_are_reported(world: LedgerWorld, versions: Versions) -> None:
    versions.aliases = {"champion": "2"}
    found = wrong(world, versions)["aliases"]
    assert found.startswith("champion is 2, not 1; challenger is no version, not 2: ")
