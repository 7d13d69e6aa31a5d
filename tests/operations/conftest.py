"""What the tests of operations share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.operations.ledger_world import LedgerWorld

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> LedgerWorld:
    """Return decisions in a store of the test's own."""
    return LedgerWorld(tmp_path / "store")
