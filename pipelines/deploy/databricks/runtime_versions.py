"""Compares our library versions with those of the chosen Databricks Runtime."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Final

import yaml
from pydantic import ValidationError

from ontime_base.configuration import ConfError, Settings, conf_folder

if TYPE_CHECKING:
    from pathlib import Path

RUNTIME_FILE: Final = "databricks-runtime.yaml"
_MAJOR_MINOR: Final = re.compile(r"\d+\.\d+")


class RuntimePins(Settings):
    """The library versions of a Databricks Runtime.

    Attributes:
        runtime: Its name, as a cluster asks for it.
        serverless_environment: The serverless environment of the job.
        looked_up: When the versions were looked up.
        source: Where.
        python: Its Python; null: could not be looked up.
        packages: By distribution the version; null: could not be looked up.
    """

    runtime: str
    serverless_environment: str
    looked_up: dt.date
    source: str
    python: str | None
    packages: dict[str, str | None]


@dataclass(frozen=True)
class Pin:
    """One package, here and there.

    Attributes:
        package: Its distribution.
        ours: Our version.
        theirs: The runtime's; None if it could not be looked up.
        verdict: `equal`, `close` (the same major and minor version), `differs` or `unverified`.
    """

    package: str
    ours: str
    theirs: str | None
    verdict: str


def read_pins(folder: Path | None = None) -> RuntimePins:
    """Return the pinned versions of the runtime from conf/.

    Raises:
        ConfError: The file is missing or not valid.
    """
    path = (folder or conf_folder()) / RUNTIME_FILE
    try:
        return RuntimePins.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ConfError(f"{path} is missing: restore it from the repository.") from error
    except (yaml.YAMLError, ValidationError) as error:
        raise ConfError(f"{path} is not valid: {error}") from error


def compare(pins: RuntimePins) -> list[Pin]:
    """Return each package of the runtime's list beside ours."""
    return [_pin(name, metadata.version(name), theirs) for name, theirs in pins.packages.items()]


def _pin(package: str, ours: str, theirs: str | None) -> Pin:
    if theirs is None:
        return Pin(package, ours, None, "unverified")
    if ours == theirs:
        return Pin(package, ours, theirs, "equal")
    here, there = _MAJOR_MINOR.match(ours), _MAJOR_MINOR.match(theirs)
    close = here is not None and there is not None and here.group() == there.group()
    return Pin(package, ours, theirs, "close" if close else "differs")


def compare_runtime() -> int:
    """Print our versions beside the runtime's; return 1 if one differs: theirs is what runs there.

    Raises:
        OntimeError: What the runtime has cannot be read.
    """
    pins = read_pins()
    compared = compare(pins)
    print(f"Databricks Runtime {pins.runtime}, looked up {pins.looked_up}: {pins.source}\n")
    print(f"{'package':14} {'ours':10} {'runtime':10}")
    for pin in compared:
        print(f"{pin.package:14} {pin.ours:10} {pin.theirs or '?':10} {pin.verdict}")
    unverified = sum(pin.verdict == "unverified" for pin in compared)
    if unverified:
        print(f"\n{unverified} unverified: look them up in the runtime's release notes, and write")
        print(f"them into conf/{RUNTIME_FILE} with the date.")
    return int(any(pin.verdict == "differs" for pin in compared))
