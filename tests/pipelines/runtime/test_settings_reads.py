from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from pipelines.runtime.settings_reads import recorded, undeclared_settings, unread_settings
from pipelines.settings import load_settings
from pipelines.stages import Stage

if TYPE_CHECKING:
    from pipelines.settings import PipelineSettings

STAGE = Stage(
    name="made_up",
    title="nothing",
    module="made_up",
    settings=("features", "training.split"),
    places=("serving.store_uri",),
    other_settings=("sources",),
)


@pytest.fixture
def settings() -> PipelineSettings:
    return load_settings("dev")


def test_what_is_read_is_recorded_by_its_key(settings: PipelineSettings) -> None:
    # Given / When a section is handed on, and values are read, some by a method of the settings
    reads: set[str] = set()
    given = recorded(settings, reads)
    features = given.features
    assert not reads
    assert features.table == settings.features.table
    assert given.serving.stores.online == "sqlite"
    assert given.tables_root == settings.tables_root
    # Then
    assert reads == {
        "features.horizon_min",
        "features.as_of_ingest",
        "features.late_from_min",
        "serving.stores.online",
        "tables.uri",
        "home",
    }


def test_a_section_that_is_dumped_or_iterated_is_read_as_a_whole(
    settings: PipelineSettings,
) -> None:
    reads: set[str] = set()
    given = recorded(settings, reads)
    assert given.features.model_dump() == settings.features.model_dump()
    assert dict(given.sources) == dict(settings.sources)
    names = ("flights", "weather", "planes", "airports", "airlines")
    assert {f"features.{name}" for name in type(settings.features).model_fields} | {
        f"sources.{name}" for name in names
    } == reads


def test_it_is_used_as_the_settings_are(settings: PipelineSettings) -> None:
    given = recorded(settings, set())
    assert given == settings
    assert settings.training == given.training
    assert hash(given.training.split) == hash(settings.training.split)
    assert isinstance(given.training, type(settings.training))
    changed = given.features.model_copy(update={"horizon_min": 30})
    assert (changed.horizon_min, changed.block_days) == (30, settings.features.block_days)
    # And another process gets the original
    sent = pickle.loads(pickle.dumps(given.serving))  # noqa: S301 - our own bytes
    assert type(sent) is type(settings.serving)
    assert sent == settings.serving


def test_what_a_stage_does_not_declare_is_named() -> None:
    reads = {"features.horizon_min", "training.split.train_from", "training.model", "home"}
    assert undeclared_settings(STAGE, reads) == ["training.model"]
    assert undeclared_settings(STAGE, {"featuresque", "sources.flights", "spark.master"}) == [
        "featuresque"
    ]


def test_what_a_stage_declares_and_does_not_read_is_named() -> None:
    reads = {"features.horizon_min", "serving.store_uri"}
    assert unread_settings(STAGE, reads) == ["sources", "training.split"]
