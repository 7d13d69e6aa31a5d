"""A new key and its hash."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess

import pytest

from pipelines.cli import execute


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


@pytest.mark.parametrize("name", ["O'Brien", '"', "a b", "$(x)", "李"])
def test_the_line_can_be_pasted_into_a_shell(capsys: pytest.CaptureFixture[str], name: str) -> None:
    # Given a name with quotes, and scopes
    assert execute(["api-key", name, "--scope", "events", "--scope", "operate"]) == 0
    line = capsys.readouterr().out.splitlines()[-1].strip()
    # When a shell sets the variable of the line that is printed
    command = f'{line}; printf %s "$ONTIME_API_KEYS"'
    printed = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=True)
    # Then it is the configuration of that key
    (found,) = json.loads(printed.stdout).items()
    assert found[0] == name
    assert found[1]["scopes"] == ["events", "operate"]


@pytest.mark.parametrize("arguments", [[""], [" "], ["a\nb"], ["\x1b[0m"], ["a", "--scope", "all"]])
def test_what_is_no_name_or_scope_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert execute(["api-key", *arguments]) == 2
    assert "ONTIME_API_KEYS" not in capsys.readouterr().out
