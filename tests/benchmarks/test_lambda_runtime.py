"""The emulated Runtime API, with the real runtime client and small handlers."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

import pytest

from benchmarks.lambda_runtime import (
    InvocationError,
    RuntimeHost,
    copy_installed,
    start_function,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HANDLERS = """
import os, resource, sys
COUNT = 0

def echo(event, context):
    global COUNT
    COUNT += 1
    return {"event": event, "count": COUNT, "id": context.aws_request_id}

def surroundings(event, context):
    return {
        "processors": len(os.sched_getaffinity(0)),
        "memory": resource.getrlimit(resource.RLIMIT_AS)[0],
        "home": os.environ.get("HOME"),
        "numpy": __import__("importlib.util").util.find_spec("numpy") is not None,
    }

def fail(event, context):
    raise ValueError("no such flight")
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    bundle = tmp_path_factory.mktemp("bundle")
    (bundle / "handlers.py").write_text(HANDLERS)
    (bundle / "broken.py").write_text("import no_such_library\n")
    return [bundle, copy_installed(tmp_path_factory.mktemp("runtime"))]


@contextlib.contextmanager
def function(folders: list[Path], handler: str, tmp_path: Path) -> Iterator[RuntimeHost]:
    processor = min(os.sched_getaffinity(0))
    with (
        RuntimeHost() as host,
        start_function(
            host,
            handler,
            path=folders,
            environment={},
            log=tmp_path / "log",
            processor=processor,
            memory_mb=512,
        ) as process,
    ):
        try:
            yield host
        finally:
            process.kill()


def test_events_are_answered_one_after_the_other_by_one_process(
    folders: list[Path], tmp_path: Path
) -> None:
    with function(folders, "handlers.echo", tmp_path) as host:
        answers = [json.loads(host.invoke(b'{"n": %d}' % n).body) for n in range(3)]
    assert [each["event"] for each in answers] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert [each["count"] for each in answers] == [1, 2, 3]
    assert len({each["id"] for each in answers}) == 3


def test_the_function_has_one_core_little_memory_and_nothing_of_ours(
    folders: list[Path], tmp_path: Path
) -> None:
    with function(folders, "handlers.surroundings", tmp_path) as host:
        found = json.loads(host.invoke(b"{}").body)
    assert found == {"processors": 1, "memory": 512 << 20, "home": None, "numpy": False}


def test_an_answer_takes_a_few_milliseconds(folders: list[Path], tmp_path: Path) -> None:
    # Small packets that wait for each other would take 40 ms
    with function(folders, "handlers.echo", tmp_path) as host:
        host.invoke(b"{}")
        assert min(host.invoke(b"{}").ms for _ in range(50)) < 20


def test_an_error_of_the_function_is_reported(folders: list[Path], tmp_path: Path) -> None:
    with (
        function(folders, "handlers.fail", tmp_path) as host,
        pytest.raises(InvocationError, match="no such flight"),
    ):
        host.invoke(b"{}")


def test_a_function_that_cannot_start_is_reported(folders: list[Path], tmp_path: Path) -> None:
    with (
        function(folders, "broken.handler", tmp_path) as host,
        pytest.raises(InvocationError, match="no_such_library"),
    ):
        host.invoke(b"{}")
