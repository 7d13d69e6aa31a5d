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

    from tests.operations.lives import Life


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
def versions(life: Life) -> Versions:
    """A champion and a challenger, all as it should be."""
    versions = Versions()
    for number in ("1", "2"):
        versions.runs[number] = f"run-{number}"
        released = ReleasedVersion(number, publish(life.store, number))
        life.on_trial(released)
        if number == "1":
            life.pipeline.promoted(released, rollout="direct", reason="gates passed")
    follow_ledger(life.store, versions)
    return versions


def wrong(life: Life, versions: Versions, head: str | None = None) -> dict[str, str]:
    """Return what is wrong, by what was looked at."""
    checks = verify(life.store, versions, "ontime", head=head)
    return {check.name: check.found for check in checks if not check.holds}


def test_all_that_was_looked_at_is_told(life: Life, versions: Versions) -> None:
    checks = verify(life.store, versions, "ontime", head=life.ledger.checksums[2])
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
    found = f"7 entries, each chained to the one before; ends with {life.ledger.head}"
    assert checks[0] == Check("ledger", holds=True, found=found)
    assert checks[1].found == "it is entry 3"


def test_nothing_released_is_nothing_wrong(life: Life) -> None:
    assert wrong(life, Versions()) == {}


@pytest.mark.parametrize("sequence", range(1, 7))
def test_a_changed_entry_is_told(
    life: Life, versions: Versions, tmp_path: Path, sequence: int
) -> None:
    # Given one entry whose author was changed
    path = tmp_path / "store" / key_of(sequence)
    entry = json.loads(path.read_bytes())
    path.write_text(json.dumps({**entry, "by": "Mallory"}))
    # When it is verified, Then the entry after it does not follow it
    found = wrong(life, versions)
    assert f"{key_of(sequence + 1)} does not follow the entry before it" in found["ledger"]
    assert list(found) == ["ledger"]


def test_the_newest_entry_that_was_changed_is_told_by_the_document_or_the_noted_end(
    life: Life, versions: Versions, tmp_path: Path
) -> None:
    # Given the newest entry changed, which no entry follows
    noted = life.ledger.head
    path = tmp_path / "store" / key_of(7)
    path.write_text(path.read_text().replace("pipeline", "Mallory "))
    # Then the release document does not know it, nor does who noted the end
    found = wrong(life, versions, head=noted)
    assert "no longer has" in found["release document"]
    assert "entries were cut off or written anew" in found["noted end"]


def test_a_removed_entry_is_told(life: Life, versions: Versions, tmp_path: Path) -> None:
    (tmp_path / "store" / key_of(3)).unlink()
    assert f"{key_of(3)} is missing" in wrong(life, versions)["ledger"]


def test_two_entries_that_changed_places_are_told(
    life: Life, versions: Versions, tmp_path: Path
) -> None:
    one, two = (tmp_path / "store" / key_of(n) for n in (2, 3))
    bodies = one.read_bytes(), two.read_bytes()
    two.write_bytes(bodies[0])
    one.write_bytes(bodies[1])
    assert f"{key_of(2)} does not follow" in wrong(life, versions)["ledger"]


def test_an_inserted_entry_is_told(life: Life, versions: Versions, tmp_path: Path) -> None:
    # Given an approval put between two entries, those after it moved up
    folder = tmp_path / "store"
    for sequence in range(7, 2, -1):
        (folder / key_of(sequence)).rename(folder / key_of(sequence + 1))
    before = json.loads((folder / key_of(2)).read_bytes())
    (folder / key_of(3)).write_text(json.dumps({**before, "sequence": 3, "kind": "approved"}))
    assert f"{key_of(3)} does not follow" in wrong(life, versions)["ledger"]


def test_a_tail_that_was_cut_off_is_told_by_the_document(
    life: Life, versions: Versions, tmp_path: Path
) -> None:
    (tmp_path / "store" / key_of(7)).unlink()
    assert "no longer has (it ends at entry 6)" in wrong(life, versions)["release document"]


def test_a_tail_without_releases_is_told_only_by_the_noted_end(
    life: Life, versions: Versions, tmp_path: Path
) -> None:
    life.pipeline.gated("2", passed=False, reasons=("too slow",), figures={})
    noted = life.ledger.head
    (tmp_path / "store" / key_of(8)).unlink()
    assert "noted end" not in wrong(life, versions)
    assert "noted end" in wrong(life, versions, head=noted)


def test_a_document_that_a_hand_changed_is_told(life: Life, versions: Versions) -> None:
    stored = life.store.get(RELEASE_KEY)
    body = stored.body.replace(b'"challenger_weight": 0.0', b'"challenger_weight": 0.5')
    life.store.replace(RELEASE_KEY, body, stored.etag)
    assert "It is not what the ledger says" in wrong(life, versions)["release document"]


def test_a_released_version_that_was_deleted_from_the_registry_is_told(
    life: Life, versions: Versions
) -> None:
    del versions.runs["1"]
    found = wrong(life, versions)
    assert found == {"registry has the champion": "Model ontime has no version 1 in the registry."}


def test_a_registry_that_counted_again_is_told(life: Life, versions: Versions) -> None:
    versions.runs["2"] = "run-of-another"
    assert "do not belong together" in wrong(life, versions)["registry has the challenger"]


def test_a_damaged_package_is_told(life: Life, versions: Versions, tmp_path: Path) -> None:
    (tmp_path / "store" / "models" / "ontime" / "1" / "model.onnx").write_bytes(b"cut")
    assert "1/model.onnx has 3 bytes" in wrong(life, versions)["package of the champion"]


def test_aliases_that_a_hand_moved_are_told(life: Life, versions: Versions) -> None:
    versions.aliases = {"champion": "2"}
    found = wrong(life, versions)["aliases"]
    assert found.startswith("champion is 2, not 1; challenger is no version, not 2: ")
