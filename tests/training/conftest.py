"""An MLflow store for tests: made once, copied for each test that writes to it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from training.tracking import Tracking

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the SQLite file of a tracking store without runs."""
    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    tracking = Tracking(f"sqlite:///{path}", "ontime")
    tracking.client.search_experiments()
    return path


@pytest.fixture
def tracking(empty_store: Path, tmp_path: Path) -> Tracking:
    """Return a tracking store of a test's own."""
    store = tmp_path / "mlflow.db"
    shutil.copy(empty_store, store)
    return Tracking(f"sqlite:///{store}", "ontime", (tmp_path / "artifacts").as_uri())
