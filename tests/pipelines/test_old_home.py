"""A home of the version before the modules moved: its tables are brought over without loss.

`old_home.zip` was written by that version: two ingests (the second with a late day, a corrected
flight and a flight to an unknown airport), the feature table, and the source files.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from features.silver.raw import RAW_COLUMNS
from pipelines.runtime.console import Console
from pipelines.runtime.context import RunContext
from pipelines.runtime.runner import run_stage
from pipelines.settings import load_settings
from pipelines.silver.table_names import QUARANTINE, bronze_table, silver_table
from pipelines.stages import stage_named
from pipelines.tables.commit_metadata import GoldCommit, SilverCommit, from_description
from pipelines.tables.content_hash_cache import ContentHashCache
from pipelines.tables.delta_tables import Tables

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.timeout(600)]

ZIP = Path(__file__).with_name("old_home.zip")
GOLD = "gold_features_h120"


@pytest.fixture
def context(spark: SparkSession, tmp_path: Path) -> RunContext:
    """A context of the old home."""
    with zipfile.ZipFile(ZIP) as archive:
        archive.extractall(tmp_path)
    settings = load_settings("dev")
    sources = {name: (str(tmp_path / "sources" / f"{name}*"),) for name in RAW_COLUMNS}
    settings = settings.model_copy(
        update={
            "home": tmp_path / "home",
            "sources": settings.sources.model_copy(update=sources),
        }
    )
    tables = Tables(spark, str(settings.home / "tables"))
    return RunContext(settings, Console(io.StringIO())).using(spark=spark, tables=tables)


def outputs_of(context: RunContext, record: str) -> dict[str, Any]:
    """Return what a stage of the version before recorded."""
    text = (context.settings.home / "stages" / f"{record}.json").read_text()
    outputs: dict[str, Any] = json.loads(text)["outputs"]
    return outputs


def test_its_tables_are_brought_over_without_loss(context: RunContext) -> None:
    # Given the home: commit metadata and cached content hashes of the version before are readable
    tables, hashes = context.tables, ContentHashCache(context.tables, context.settings.home)
    ingested, built = outputs_of(context, "ingest"), outputs_of(context, "build_features_h120")
    for source in RAW_COLUMNS:
        name = silver_table(source)
        assert from_description(SilverCommit, tables.description(name)) is not None
        cached = hashes.current(name)
        assert cached is not None
        assert cached[1].digest == ingested["silver"][source] == tables.content_hash(name)
    assert from_description(GoldCommit, tables.description(GOLD)) is not None
    quarantine = tables.content_hash(QUARANTINE)
    bronze = {source: tables.version(bronze_table(source)) for source in RAW_COLUMNS}
    # When both stages run in it
    again = run_stage(stage_named("ingest"), context).outputs
    gold = run_stage(stage_named("build_features"), context).outputs
    # Then no file is ingested again
    assert set(again["new"].values()) == {0}
    assert {source: tables.version(bronze_table(source)) for source in RAW_COLUMNS} == bronze
    # And silver, quarantine and the feature table have the content that they had
    for name in ("received", "kept", "quarantine", "silver", "reasons"):
        assert again[name] == ingested[name]
    assert tables.content_hash(QUARANTINE) == quarantine
    assert (gold["gold_hash"], gold["rows"]) == (built["gold_hash"], built["rows"])
    # And the next run has nothing to do
    reports = [run_stage(stage_named(name), context) for name in ("ingest", "build_features")]
    assert [report.skipped for report in reports] == [True, True]
