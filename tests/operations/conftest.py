"""What the tests of operations share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.operations.lives import Life

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def life(tmp_path: Path) -> Life:
    """Return decisions in a store of the test's own."""
    return Life(tmp_path / "store")
