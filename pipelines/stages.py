"""The stages in run order: the single truth that MLproject and every job definition follow.

Data only, so that a job definition or a test reads it at no cost. The work of stage `x` is
`pipelines.x.run(context, ...)`, and `python -m pipelines.x` runs it alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

Value: TypeAlias = "str | int | float"


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter of a stage: `--its-name` on the command line, `-P its_name=` in MLproject.

    Attributes:
        name: In snake_case.
        kind: What its text is read as: str, int or float.
        help: What it is, with its unit.
        setting: The configuration key that it overrides, such as `features.horizon_min`; None if
            it is handed to the stage's `run` as a named argument.
        default: Used when it is not given; None: as the configuration says.
    """

    name: str
    kind: type[str] | type[int] | type[float]
    help: str
    setting: str | None = None
    default: Value | None = None


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage of the pipeline.

    Attributes:
        name: The module of `pipelines` that does it, the entry point in MLproject, the record's file.
        title: What it does, in a line.
        reads: Upstream outputs that decide the result, as `stage.output`.
        settings: Sections of the configuration that decide the result.
        libraries: Distributions whose version decides the result.
        parameters: What a person may set when running it alone.
    """

    name: str
    title: str
    reads: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = field(default=())

    @property
    def upstream(self) -> tuple[str, ...]:
        """The stages that must have succeeded before this one, in order."""
        return tuple(dict.fromkeys(read.split(".")[0] for read in self.reads))


_TABLES = ("pyspark", "delta-spark", "great-expectations")
_MODEL = ("scikit-learn", "numpy", "pandas", "onnx", "onnxruntime")

STAGES: tuple[Stage, ...] = (
    Stage(
        name="ingest",
        title="source files to bronze, silver and quarantine tables",
        settings=("sources", "tables"),
        libraries=_TABLES,
    ),
    Stage(
        name="build_features",
        title="silver tables to the gold feature table",
        reads=("ingest.silver",),
        settings=("features", "tables"),
        libraries=(*_TABLES, "polars", "pyarrow"),
        parameters=(
            Parameter(
                name="horizon_min",
                kind=int,
                help="minutes from the prediction time to the scheduled departure",
                setting="features.horizon_min",
            ),
        ),
    ),
    Stage(
        name="train",
        title="gold to a fitted model with its MLflow run",
        reads=("build_features.gold_hash",),
        settings=("features", "training"),
        libraries=_MODEL,
    ),
    Stage(
        name="evaluate",
        title="the fitted model against the gates",
        reads=("build_features.gold_hash", "train.run_id"),
        settings=("features", "training"),
        libraries=_MODEL,
    ),
    Stage(
        name="register",
        title="the evaluated model to a registered version, the challenger",
        reads=("train.run_id", "evaluate.passed"),
        settings=("training", "operations"),
    ),
    Stage(
        name="publish",
        title="the challenger's artifact and online features to the serving stores",
        reads=("ingest.silver", "register.version"),
        settings=("features", "serving", "operations"),
    ),
    Stage(
        name="promote",
        title="the challenger to champion, if the rollout policy lets it",
        reads=("register.version", "publish.manifest_sha256"),
        settings=("operations",),
        parameters=(
            Parameter(name="by", kind=str, help="who decides", default="pipeline"),
            Parameter(
                name="reason", kind=str, help="why, for the ledger", default="gates passed"
            ),
        ),
    ),
)


def stage_named(name: str) -> Stage:
    """Return the stage of that name.

    Raises:
        KeyError: There is none.
    """
    return {stage.name: stage for stage in STAGES}[name]
