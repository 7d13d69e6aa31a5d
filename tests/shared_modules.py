"""A pytest plugin: processes side by side share a run, one test module at a time.

Each process collects the same tests and claims a module before it runs it: a claim is a file that
only one process can create. So every test runs in exactly one of them, and all end at about the
same time, whatever a module takes. The tests that use the Spark session can be left to one process:
a second session would cost more than it saves.
"""

from __future__ import annotations

import hashlib
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

WITH_SESSION, WITHOUT_SESSION, ALL = "with-session", "without-session", "all"
ROLES: Final = (WITH_SESSION, WITHOUT_SESSION, ALL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--claims", default=None, help="the folder by which processes share the test modules"
    )
    parser.addoption(
        "--role",
        choices=ROLES,
        default=ALL,
        help="tests with the Spark session first, only tests without it, or all as they come",
    )


def uses_session(item: pytest.Item) -> bool:
    """Return whether a test uses the Spark session of its process."""
    return "spark" in getattr(item, "fixturenames", ())


def modules_of(items: Sequence[pytest.Item], role: str) -> list[list[pytest.Item]]:
    """Return the tests that a process of this role may run, by module, in its order.

    The tests of a module that use the session are a module of their own. What has the longest
    time-out comes first, so that no long test is left for the end; else neighbours follow each
    other, as they share what a process makes once (models, stores, servers): the process with the
    session takes the other modules from the end.
    """

    def key(item: pytest.Item) -> tuple[bool, str]:
        return role != ALL and uses_session(item), str(item.path)

    def longest(module: list[pytest.Item]) -> float:
        limits = [mark for item in module if (mark := item.get_closest_marker("timeout"))]
        return -max((mark.args[0] for mark in limits), default=0)

    wanted = [item for item in items if role != WITHOUT_SESSION or not uses_session(item)]
    modules = [list(tests) for _, tests in groupby(sorted(wanted, key=key), key=key)]
    first = [module for module in modules if key(module[0])[0]]
    others = [module for module in modules if not key(module[0])[0]]
    if role == WITH_SESSION:
        others.reverse()
    return sorted(first, key=longest) + sorted(others, key=longest)


def claim(module: Sequence[pytest.Item], folder: Path) -> bool:
    """Return whether this process is the first to claim a module, and so runs it."""
    name = f"{module[0].path} {uses_session(module[0])}"
    try:
        (folder / hashlib.sha256(name.encode()).hexdigest()).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run the modules that this process claims; None, for pytest's own loop, without `--claims`."""
    folder = session.config.getoption("--claims")
    if folder is None or session.config.option.collectonly or session.testsfailed:
        return None
    for module in modules_of(session.items, session.config.getoption("--role")):
        if not claim(module, Path(folder)):
            continue
        # After its last test all is torn down but what the whole session shares: the next module is
        # claimed only then, as another process may be free sooner.
        end = cast("pytest.Item", session)
        for item, following in pairwise([*module, end]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)
    return True
