"""Builds the zip of the Lambda function, for each processor architecture.

It holds `ontime_base`, `features`, `serving` and the libraries that answering needs, from the lock,
by hash, for Lambda's Python 3.11 (Amazon Linux 2, so wheels of manylinux2014). Bytecode is in it,
because a function cannot write its own and would compile every module in each cold start. Nothing
in it depends on when or where it was built.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ontime_base.errors import OntimeError
from pipelines.runtime.figures import write_figures
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
LIBRARIES: Final = ("msgspec", "prometheus-client", "tzdata")
PLATFORMS: Final[Mapping[str, str]] = {
    "x86_64": "manylinux2014_x86_64",
    "arm64": "manylinux2014_aarch64",
}
LIMIT_MB: Final = 150.0
_CODE: Final = ("ontime_base", "features", "serving")
_TASK_ROOT: Final = "/var/task"  # where a function finds its bundle
_FIRST_INSTANT: Final = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can store
_NEEDLESS: Final = ("bin", "tests", "test", "include", "__pycache__")
_NEEDLESS_FILES: Final = (
    "*.pyi",
    "*.h",
    "*.c",
    "*.pxd",
    "*.pyx",
    "RECORD",
    "REQUESTED",
    "INSTALLER",
)
_MB: Final = 1_000_000


class BundleError(OntimeError):
    """The bundle could not be built, or is too large."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was built.

    Attributes:
        architecture: The kind of processor.
        path: The zip.
        sha256: Its checksum.
        bytes_by_part: Unpacked bytes of each top folder or file.
    """

    architecture: str
    path: Path
    sha256: str
    bytes_by_part: dict[str, int]

    @property
    def unzipped_mb(self) -> float:
        """Megabytes when unpacked."""
        return sum(self.bytes_by_part.values()) / _MB

    def figures(self) -> Iterator[tuple[str, float | str]]:
        """Yield its figures by name."""
        yield "unzipped_mb", round(self.unzipped_mb, 2)
        yield "zipped_mb", round(self.path.stat().st_size / _MB, 2)
        yield "sha256", self.sha256


def build_bundle(
    target: Path, architecture: str, *, libraries: Sequence[str] = LIBRARIES, root: Path = ROOT
) -> Bundle:
    """Build the bundle for a kind of processor and return it.

    Args:
        target: The folder it is written to.
        architecture: One of `PLATFORMS`.
        libraries: Distributions of the lock that go into it.
        root: The clone.

    Raises:
        BundleError: The lock lacks a library, or it cannot be fetched.
    """
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        tree.mkdir()
        add_libraries(tree, architecture, locked(libraries, root))
        add_code(tree, root)
        trim(tree)
        compile_all(tree)
        path = target / f"ontime-{architecture}.zip"
        write_zip(tree, path)
        parts = {each.name: _size(each) for each in sorted(tree.iterdir())}
    return Bundle(architecture, path, hashlib.sha256(path.read_bytes()).hexdigest(), parts)


def locked(libraries: Sequence[str], root: Path = ROOT) -> str:
    """Return the lines of the lock that name these libraries, with their hashes.

    Raises:
        BundleError: The lock does not have one of them.
    """
    lock = (root / "requirements" / "run.txt").read_text(encoding="utf-8")
    lines = list[str]()
    for name in libraries:
        found = re.search(rf"^{re.escape(name)}==\S+(?: \\\n +--hash=\S+)+", lock, re.MULTILINE)
        if found is None:
            raise BundleError(
                f"The lock has no {name}: add it to pyproject.toml, then `make lock`."
            )
        lines.append(found.group())
    return "\n".join(lines) + "\n"


def add_libraries(tree: Path, architecture: str, requirements: str) -> None:
    """Unpack the wheels of these requirements, made for another machine, into a tree.

    Raises:
        BundleError: pip cannot fetch them, or one has no wheel for the platform.
    """
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "requirements.txt")
        wanted.write_text(requirements, encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
        command += ["--disable-pip-version-check", "--only-binary=:all:", "--require-hashes"]
        command += ["--implementation", "cp", "--python-version", "3.11"]
        command += ["--platform", PLATFORMS[architecture], "--platform", "any"]
        command += ["--target", str(tree), "--requirement", str(wanted)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - pip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise BundleError(
            f"The libraries for {architecture} could not be fetched ({last}): check the network, "
            "or the registry that pip is configured with."
        )


def add_code(tree: Path, root: Path = ROOT) -> None:
    """Copy our own packages into a tree."""
    for name in _CODE:
        shutil.copytree(
            root / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", ".*")
        )


def trim(tree: Path) -> None:
    """Remove what no request needs: tests, headers, sources of extensions, installer's notes."""
    for name in _NEEDLESS:
        for folder in [each for each in tree.rglob(name) if each.is_dir()]:
            shutil.rmtree(folder, ignore_errors=True)
    for pattern in _NEEDLESS_FILES:
        for file in tree.rglob(pattern):
            file.unlink()


def compile_all(tree: Path) -> None:
    """Write the bytecode of every module, which is not checked against its source at import."""
    command = [sys.executable, "-m", "compileall", "-q", "-j", "1", "-s", str(tree)]
    command += ["-p", _TASK_ROOT, "--invalidation-mode", "unchecked-hash", str(tree)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}  # else sets are written in any order
    subprocess.run(command, env=environment, check=True)  # noqa: S603 - our own command


def write_zip(tree: Path, path: Path) -> None:
    """Write a tree as a zip: equal trees give equal bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in sorted(_files(tree), key=lambda file: file.relative_to(tree).as_posix()):
            entry = zipfile.ZipInfo(file.relative_to(tree).as_posix(), _FIRST_INSTANT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, whose modes follow
            entry.external_attr = (0o100755 if file.suffix == ".so" else 0o100644) << 16
            archive.writestr(entry, file.read_bytes())


def require_size(bundles: Sequence[Bundle]) -> None:
    """Return if every bundle is small enough.

    Raises:
        BundleError: Names the one that is not, and its largest part.
    """
    for bundle in bundles:
        if bundle.unzipped_mb > LIMIT_MB:
            largest = max(bundle.bytes_by_part, key=lambda part: bundle.bytes_by_part[part])
            raise BundleError(
                f"The bundle for {bundle.architecture} has {bundle.unzipped_mb:.0f} MB unpacked, "
                f"more than {LIMIT_MB:.0f}; most of it is {largest}. Leave it out, or trim it."
            )


def build_bundles(target: Path | None = None) -> None:
    """Build the bundle for every kind of processor, print their sizes and write the figures.

    Args:
        target: The folder they are written to; None: `lambda` in the home folder.

    Raises:
        BundleError: One could not be built, or is too large.
    """
    home = load_settings().home
    folder = target or home / "lambda"
    bundles = [build_bundle(folder, architecture) for architecture in PLATFORMS]
    print(*_report(bundles), sep="\n")
    figures: dict[str, float | str] = {}
    for each in bundles:
        figures |= {f"{name}_{each.architecture}": figure for name, figure in each.figures()}
    print(f"figures: {write_figures(home, 'lambda-bundle', figures)}")
    require_size(bundles)


def _report(bundles: Sequence[Bundle]) -> list[str]:
    parts = {part: None for bundle in bundles for part in bundle.bytes_by_part}
    lines = [f"{'MB, unpacked':<28}" + "".join(f"{each.architecture:>12}" for each in bundles)]
    for part in parts:
        sizes = (bundle.bytes_by_part.get(part, 0) / _MB for bundle in bundles)
        lines.append(f"  {part:<26}" + "".join(f"{size:>12.2f}" for size in sizes))
    lines.append(f"{'in all':<28}" + "".join(f"{each.unzipped_mb:>12.2f}" for each in bundles))
    return [*lines, *(f"{each.path}  sha256 {each.sha256[:16]}" for each in bundles)]


def _files(tree: Path) -> Iterator[Path]:
    return (each for each in tree.rglob("*") if each.is_file())


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else sum(f.stat().st_size for f in _files(path))
