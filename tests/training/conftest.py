"""A tracking store for each test that writes to one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from training.tracking.tracking_store import Tracking

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tracking(empty_store: Path, tmp_path: Path) -> Tracking:
    """Return a tracking store of a test's own."""
    store = tmp_path / "mlflow.db"
    shutil.copy(empty_store, store)
    return Tracking(f"sqlite:///{store}", "ontime", (tmp_path / "artifacts").as_uri())
