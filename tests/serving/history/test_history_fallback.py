"""What takes over while the history is down, by the configuration."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from serving.history.history_fallback import open_lasting_history
from serving.history.queued_history import QueuedHistory
from serving.history.spooled_history import SpooledHistory
from serving.lambdas.api_handler import OPTIONS_VARIABLE, function_options
from serving.settings import StoreSettings
from serving.stores.history.sqlite import SqlitePredictionHistory

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (StoreSettings(), SpooledHistory),
        (StoreSettings(fallback="queue"), QueuedHistory),
        (StoreSettings(fallback="none"), SqlitePredictionHistory),
    ],
)
def test_the_configuration_chooses(options: StoreSettings, kind: type, tmp_path: Path) -> None:
    history = open_lasting_history(options, tmp_path)
    assert type(history) is kind
    history.close()


@pytest.mark.parametrize(("given", "used"), [(None, "none"), ("spool", "none"), ("queue", "queue")])
def test_a_function_promises_nothing_on_its_disk(
    monkeypatch: pytest.MonkeyPatch, given: str | None, used: str
) -> None:
    # Given options of a function, whose disk goes when it does
    stores = {} if given is None else {"fallback": given}
    monkeypatch.setenv(OPTIONS_VARIABLE, json.dumps({"stores": stores}))
    # Then it has no spool
    assert function_options().stores.fallback == used
