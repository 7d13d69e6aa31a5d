"""A version that was registered before the modules moved: its lineage, package and ledger entries.

The texts are as the code of then wrote them; only checksums are shorter to write. What a released
file contains must stay readable, whatever is renamed in the code.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from operations.ledger.ledger import key_of, verified
from operations.ledger.state import state_at
from pipelines.proofs.rebuild import stage_sources, validate_lineage, write_conf
from serving.models.model_loader import load_model
from serving.models.release_document import ReleasedVersion
from serving.stores.artifacts.local import FolderArtifactStore
from tests.pipelines.scored_world import package_of, small_model
from training.tracking import lineage as lineages

if TYPE_CHECKING:
    from pathlib import Path

FLIGHTS = b"year,month,day\n2013,1,1\n"
LINEAGE = {
    "fingerprint": "22" * 32,
    "parts": {"features.horizon_min": "120", "features/table.py": "20" * 32, "numpy": "2.4.6"},
    "table": {
        "name": "gold_features_h120",
        "uri": "/home/.ontime/tables/gold_features_h120",
        "version": 0,
        "content_hash": "dd" * 32,
        "rows": 336776,
    },
    "horizon_min": 120,
    "flights": {"train": 244737, "validate": 28618},
    "code": {"commit": "e1" * 20, "changed": False, "lock_sha256": "96" * 32, "changes": []},
    "sources": [
        {"source": "flights", "name": "f.csv", "sha256": hashlib.sha256(FLIGHTS).hexdigest()}
    ],
    "settings": {
        "features": {"as_of_ingest": None, "block_days": 92, "horizon_min": 120},
        "sources": {"flights": ["conf:f.csv"]},
        "tables": {"columnar": True},
        "training": {"model": {"iterations": 260, "patience": None}},
    },
    "feature_hash": "04" * 32,
    "machine": {"python": "3.11.7", "system": "Linux x86_64", "processors": 2},
    "silver": [],
}


def entry(sequence: int, previous: str, **content: object) -> bytes:
    """Return a ledger entry as it was written."""
    common = {"by": "pipeline", "reason": "as the gates say", "model": "ontime", "version": "1"}
    place = {"sequence": sequence, "at": f"2026-03-01T10:00:0{sequence}.000Z"}
    chain = {"previous_sha256": previous, "schema": 1}
    return json.dumps({**content, **common, **place, **chain}, indent=2).encode() + b"\n"


def test_its_lineage_is_complete_and_gives_sources_and_configuration(tmp_path: Path) -> None:
    # Given a lineage of then, and a clone with the configuration of then
    lineage = lineages.from_json(json.dumps(LINEAGE).encode())
    conf = tmp_path / "clone" / "conf"
    conf.mkdir(parents=True)
    (conf / "base.yaml").write_text("spark: {driver_memory: 4g}\ntables: {columnar: false}\n")
    (conf / "f.csv").write_bytes(FLIGHTS)
    # When it is prepared for a rebuild, Then nothing of it is missing
    validate_lineage(lineage, "1")
    sources = stage_sources(lineage, conf, tmp_path / "sources")
    write_conf(lineage, conf.parent, sources=sources, spark={"driver_memory": "1g"})
    written = (conf / "base.yaml").read_text()
    assert "iterations: 260" in written
    assert "columnar: true" in written
    assert "driver_memory: 1g" in written


def test_its_package_is_loaded_and_answers(tmp_path: Path) -> None:
    # Given a package whose manifest has the keys of then
    folder = tmp_path / "models" / "ontime" / "1"
    folder.mkdir(parents=True)
    files = package_of(small_model())
    for name, body in files.items():
        (folder / name).write_bytes(body)
    manifest = {
        "model_name": "ontime",
        "version": "1",
        "run_id": "56" * 16,
        "created_at": "2026-03-01T10:00:00.125Z",
        "files": {
            name: {"sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)}
            for name, body in files.items()
        },
    }
    text = json.dumps(manifest, indent=2).encode() + b"\n"
    (folder / "manifest.json").write_bytes(text)
    # When a server loads it by the released checksum, Then its self-test holds
    checksum = hashlib.sha256(text).hexdigest()
    store = FolderArtifactStore(tmp_path)
    loaded = load_model(store, model_name="ontime", version="1", manifest_sha256=checksum)
    assert loaded.contract == small_model().contract


def test_its_ledger_entries_give_the_release() -> None:
    # Given the four entries of a promotion as they were written
    first = entry(
        1, "0" * 64, kind="registered", evidence={"run_id": "56" * 16, "gold_hash": "dd" * 32}
    )
    second = entry(
        2,
        hashlib.sha256(first).hexdigest(),
        kind="gated",
        evidence={"passed": True, "reasons": [], "figures": {"auc": 0.778}},
    )
    challenger = {"version": "1", "manifest_sha256": "ab" * 32}
    third = entry(
        3,
        hashlib.sha256(second).hexdigest(),
        kind="published",
        evidence={"manifest_sha256": "ab" * 32},
        release={"champion": None, "challenger": challenger, "challenger_weight": 0.0},
    )
    fourth = entry(
        4,
        hashlib.sha256(third).hexdigest(),
        kind="promoted",
        evidence={"manifest_sha256": "ab" * 32, "rollout": "direct", "champion_before": None},
        release={"champion": challenger, "challenger": None, "challenger_weight": 0.0},
    )
    # Then the chain is verified, and the version is the champion that a rollback can go back to
    bodies = {key_of(place): body for place, body in enumerate((first, second, third, fourth), 1)}
    ledger = verified(bodies)
    released = ReleasedVersion("1", "ab" * 32)
    assert state_at(ledger.entries).release.champion == released
    assert state_at(ledger.entries).champions == (released,)
