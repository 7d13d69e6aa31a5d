"""Fixtures that the tests of serving share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from serving.stores.artifacts import FolderArtifactStore
from tests.serving.support import SETTINGS, a_home, a_service, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with a released version 1 and the network."""
    return a_home(tmp_path / "home")


@pytest.fixture
def store(tmp_path: Path) -> FolderArtifactStore:
    """An empty artifact store."""
    return FolderArtifactStore(tmp_path / "store")


@pytest.fixture
def client(home: Path) -> Iterator[httpx.Client]:
    """A client of a real server in this process, on a free port, over real HTTP."""
    with running_server(a_service(home, SETTINGS)) as url, httpx.Client(base_url=url) as opened:
        yield opened
