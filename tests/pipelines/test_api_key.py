"""A new key and its hash."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

from pipelines.cli import execute

if TYPE_CHECKING:
    import pytest


def test_the_hash_is_that_of_the_key(capsys: pytest.CaptureFixture[str]) -> None:
    # Given two new keys
    shown = []
    for _ in range(2):
        assert execute(["api-key", "somebody"]) == 0
        text = capsys.readouterr().out
        shown.append(text.splitlines()[1].strip())
        # Then what is to be configured is the hash of what is shown, under the name
        configured = re.search(r"ONTIME_API_KEYS='(.*)'", text)
        assert configured is not None
        digest = hashlib.sha256(shown[-1].encode()).hexdigest()
        assert json.loads(configured.group(1)) == {"somebody": digest}
    assert shown[0] != shown[1]
