"""The locks pin exactly what is installed, and match what pyproject.toml requires."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from requirements import lock

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS = re.compile(r"https?://|file:|\s@\s|^\s*-(?!-hash=)|(?:^|\s)/\w", re.MULTILINE)


def test_every_direct_dependency_is_locked_within_its_range() -> None:
    # Given the ranges of pyproject.toml, When they are compared with the locks
    wrong = lock.out_of_range()
    # Then nothing is missing or outside its range
    assert wrong == []


def test_a_version_out_of_range_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a lock that holds a version outside the range, and lacks everything else
    monkeypatch.setattr(lock, "locked", lambda _name: {"delta-spark": "4.4.1"})
    # When it is checked
    wrong = lock.out_of_range()
    # Then both errors are named, with the lock they are in
    assert "requirements/run.txt has 4.4.1, not delta-spark==4.4.0" in wrong
    assert "requirements/run.txt lacks msgspec" in wrong


@pytest.mark.parametrize("name", lock.LOCKS)
def test_a_lock_is_exact_and_hashed_and_has_no_address(name: str) -> None:
    # Given a lock, split where a package begins
    text = lock.lock_path(name).read_text(encoding="utf-8")
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
    pins = [block for block in blocks if block.strip()]
    # Then every package has one exact version and a hash
    for pin in pins:
        requirement = Requirement(pin.splitlines()[0].removesuffix("\\"))
        assert [specifier.operator for specifier in requirement.specifier] == ["=="], pin
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", pin), requirement
    assert len(pins) == len(lock.requirement_lines(name))
    # And no line names the index that a package is fetched from
    without_options = re.sub(r"^    (?:--hash=\S+ ?\\?|# via .*)$", "", text, flags=re.MULTILINE)
    assert not ADDRESS.search(without_options)
    assert not re.search(r"https?://|file:|find-links|index-url", text)


def test_the_development_lock_contains_the_run_lock() -> None:
    # Given both locks
    run, dev = lock.locked("run"), lock.locked("dev")
    # Then each package of the first is in the second, at the same version
    assert run.items() <= dev.items()


def test_the_installer_is_the_same_version_in_both_locks() -> None:
    assert lock.locked("bootstrap")["uv"] == lock.locked("dev")["uv"]


def test_conda_has_the_locked_version_of_every_direct_dependency() -> None:
    # Given conda.yaml as conda reads it
    conda: dict[str, Any] = yaml.safe_load(lock.CONDA.read_text(encoding="utf-8"))
    *packages, from_pip = conda["dependencies"]
    # Then Python and Java are the ones that the project is made for
    assert {"python=3.11", "openjdk=17", "pip"} == set(packages)
    # And its pins are the direct dependencies, extras included, at the locked versions
    pins = {canonicalize_name(pin.name): pin for pin in map(Requirement, from_pip["pip"])}
    direct = {canonicalize_name(wanted.name): wanted for wanted in lock.declared()}
    assert {name: str(pin.specifier) for name, pin in pins.items()} == {
        name: f"=={lock.locked('run')[name]}" for name in direct
    }
    assert {name: pin.extras for name, pin in pins.items()} == {
        name: wanted.extras for name, wanted in direct.items()
    }


def test_a_stale_conda_file_fails_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a conda.yaml that was edited by hand
    stale = tmp_path / "conda.yaml"
    stale.write_text(lock.conda_text().replace("pandas==", "pandas==0."), encoding="utf-8")
    monkeypatch.setattr(lock, "CONDA", stale)
    # When the locks are checked, Then it is named with the way out
    with pytest.raises(lock.LockError, match=r"(?s)conda\.yaml does not .*Run `make lock`"):
        lock.check()


def test_without_a_network_the_check_reports_what_it_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given an installer that may not use the network, and has nothing in its cache
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    # When the locks are checked, Then the ranges are, with a notice
    lock.check()
    assert "checked the ranges, not the resolution" in capsys.readouterr().out
