"""Every stage declares the settings that it reads: else it would be skipped wrongly."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

import pytest

from pipelines.runtime.console import Console
from pipelines.runtime.context import RunContext
from pipelines.runtime.runner import run_stage, stage_function
from pipelines.runtime.settings_reads import undeclared_settings, unread_settings
from pipelines.settings import load_settings
from pipelines.stages import STAGES

if TYPE_CHECKING:
    from pathlib import Path


# Declared, and read only where the online store is DynamoDB: its tables have a prefix.
READ_ELSEWHERE = {"publish": ["serving.stores.prefix"]}


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.timeout(900)
def test_each_stage_reads_the_settings_that_it_declares_and_no_other(
    small_conf: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the small world
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ONTIME_CONF", str(small_conf))
    monkeypatch.setenv("ONTIME_HOME", str(home))
    settings = load_settings("dev").model_copy(
        update={"environment": "prod"}
    )  # reports all, fails once
    undeclared, unread = {}, {}
    with RunContext(settings, Console(io.StringIO())) as context:
        for stage in STAGES:
            # When a stage does its work, with settings that record what is read
            reads: set[str] = set()
            named = {p.argument: p.default for p in stage.parameters if not p.setting}
            stage_function(stage)(context.recording(reads), **named)
            undeclared[stage.name] = undeclared_settings(stage, reads)
            unread[stage.name] = unread_settings(stage, reads)
            # (the next ones need its record; it finds its work done)
            run_stage(stage, context)
    # Then it read nothing else than it declares, and all of that
    assert {name: keys for name, keys in undeclared.items() if keys} == {}
    assert {name: keys for name, keys in unread.items() if keys} == READ_ELSEWHERE
