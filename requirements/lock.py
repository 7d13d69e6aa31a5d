"""Writes and checks the exact versions that the project is installed with.

Reads the ranges of pyproject.toml, writes requirements/*.txt (exact, hash-checked, without an
address) and conda.yaml. `make lock` writes; `make check` checks.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = [
    "check",
    "conda_text",
    "declared",
    "locked",
    "out_of_range",
    "requirement_lines",
    "write",
]

ROOT = Path(__file__).resolve().parent.parent
CONDA = ROOT / "conda.yaml"
_OURS = ("pyproject.toml", "--extra=local")
# Each lock, what it is compiled from, and the lock that it must agree with, in order.
LOCKS: dict[str, tuple[str, ...]] = {
    "run": (*_OURS,),
    "dev": (*_OURS, "--extra=dev", "--constraints=requirements/run.txt"),
    "bench": (*_OURS, "--extra=bench", "--constraints=requirements/run.txt"),
    "bentoml": ("requirements/bentoml.in",),
    "mlserver": ("requirements/mlserver.in",),
    "bootstrap": ("requirements/bootstrap.in", "--constraints=requirements/dev.txt"),
}
COMPILE = (
    "pip",
    "compile",
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-header",
    "--annotation-style=line",
    "--quiet",
)
NETWORK_FAILURES = re.compile(
    r"error sending request|failed to fetch|dns error|network is disabled|timed out|connect error",
    re.IGNORECASE,
)


class LockError(Exception):
    """A lock could not be made, or does not say what pyproject.toml asks for."""


class NetworkError(LockError):
    """The package registry was not reached."""


def lock_path(name: str) -> Path:
    """Return the path of the lock `name`."""
    return ROOT / "requirements" / f"{name}.txt"


def requirement_lines(name: str) -> list[str]:
    """Return the lines of a lock that pin a package: no hashes, no comments."""
    return _requirement_lines(lock_path(name).read_text(encoding="utf-8"))


def _requirement_lines(text: str) -> list[str]:
    lines = (line.removesuffix("\\").strip() for line in text.splitlines() if line[:1].isalnum())
    return sorted(lines)


def locked(name: str) -> dict[str, str]:
    """Return package -> exact version of a lock, as installed on Linux with Python 3.11."""
    # Not the environment of whoever asks: the answer is written into conda.yaml.
    environment = {key: str(value) for key, value in default_environment().items()} | {
        "python_version": "3.11",
        "python_full_version": "3.11.0",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "sys_platform": "linux",
    }
    pins = (Requirement(line) for line in requirement_lines(name))
    return {
        canonicalize_name(pin.name): next(iter(pin.specifier)).version
        for pin in pins
        if pin.marker is None or pin.marker.evaluate(environment)
    }


def declared(extra: str | None = None) -> list[Requirement]:
    """Return the direct dependencies of an installation, with those of an extra if asked for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = project["dependencies"] + extras["local"] + (extras[extra] if extra else [])
    return [Requirement(line) for line in lines]


def out_of_range() -> list[str]:
    """Return one sentence for each direct dependency that a lock misses or pins out of range."""
    wrong = []
    for name, extra in (("run", None), ("dev", "dev"), ("bench", "bench")):
        pins = locked(name)
        for requirement in declared(extra):
            version = pins.get(canonicalize_name(requirement.name))
            if version is None:
                wrong.append(f"requirements/{name}.txt lacks {requirement}")
            elif version not in requirement.specifier:
                wrong.append(f"requirements/{name}.txt has {version}, not {requirement}")
    return wrong


def conda_text() -> str:
    """Return conda.yaml: the direct runtime dependencies at exactly the locked versions."""
    pins = locked("run")
    extras: dict[str, set[str]] = {}
    for requirement in declared():
        extras.setdefault(canonicalize_name(requirement.name), set()).update(requirement.extras)
    packages = [
        f"      - {name}{_bracketed(wanted)}=={pins[name]}\n" for name, wanted in extras.items()
    ]
    return (
        "# Written by `make lock`: the environment of `mlflow run` where conda is.\n"
        "name: ontime\n"
        "channels:\n"
        "  - conda-forge\n"
        "dependencies:\n"
        "  - python=3.11\n"
        "  - openjdk=17\n"
        "  - pip\n"
        "  - pip:\n" + "".join(sorted(packages))
    )


def _bracketed(extras: set[str]) -> str:
    return f"[{','.join(sorted(extras))}]" if extras else ""


def _compile(name: str, output: Path, *, upgrade: bool) -> None:
    """Resolve the lock `name` into `output`, preferring the versions that `output` holds."""
    upgrading = ("--upgrade",) if upgrade else ()
    command = (_uv(), *COMPILE, *upgrading, *LOCKS[name], f"--output-file={output}")
    environment = {key: value for key, value in os.environ.items() if key != "UV_FIND_LINKS"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return
    if NETWORK_FAILURES.search(done.stderr):
        raise NetworkError(done.stderr)
    message = f"requirements/{name}.txt cannot be resolved from pyproject.toml:\n{done.stderr}"
    raise LockError(message)


def _uv() -> str:
    return str(Path(sys.executable).with_name("uv"))


def write(*, upgrade: bool) -> None:
    """Write every lock and conda.yaml; keep what is locked and in range unless upgrading."""
    for name in LOCKS:
        _compile(name, lock_path(name), upgrade=upgrade)
        print(f"lock: wrote requirements/{name}.txt ({len(requirement_lines(name))} packages)")
    CONDA.write_text(conda_text(), encoding="utf-8")
    print("lock: wrote conda.yaml")


def check() -> None:
    """Raise a LockError unless the locks and conda.yaml are what `make lock` would write."""
    wrong = out_of_range() or _stale_conda()
    if not wrong:
        try:
            wrong = _differences()
        except NetworkError:
            print("lock: no package registry was reached; checked the ranges, not the resolution")
    if wrong:
        raise LockError("\n".join([*wrong, "Run `make lock` and commit what it writes."]))
    print(f"lock: {' '.join(LOCKS)} and conda.yaml agree with pyproject.toml")


def _stale_conda() -> list[str]:
    if CONDA.is_file() and CONDA.read_text(encoding="utf-8") == conda_text():
        return []
    return ["conda.yaml does not have the versions of requirements/run.txt"]


def _differences() -> list[str]:
    """Resolve every lock again, with the committed one as preference; return the differences."""
    changes = []
    for name in LOCKS:
        committed = lock_path(name).read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            fresh = Path(folder) / f"{name}.txt"
            fresh.write_text(committed, encoding="utf-8")
            _compile(name, fresh, upgrade=False)
            # Not the hashes: a new wheel of an unchanged version only adds one.
            now = set(_requirement_lines(fresh.read_text(encoding="utf-8")))
        before = set(_requirement_lines(committed))
        changes += [f"requirements/{name}.txt lacks {line}" for line in sorted(now - before)]
        changes += [f"requirements/{name}.txt has {line} too many" for line in sorted(before - now)]
    return changes


def main() -> int:
    """Run one command; return the exit code."""
    parser = argparse.ArgumentParser(description="Write or check the locked versions.")
    parser.add_argument("command", choices=["write", "check"])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions in range")
    arguments = parser.parse_args()
    try:
        if arguments.command == "write":
            write(upgrade=arguments.upgrade)
        else:
            check()
    except LockError as error:
        print(f"lock: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
