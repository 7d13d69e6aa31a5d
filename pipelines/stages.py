"""The stages in run order, each declared once: its inputs, settings, outputs and checks.

Data only: it names modules, inputs and checks, and `pipelines.runtime` resolves the names. The
order of a run, skipping, the commands and their options, MLproject, the jobs of Databricks and the
summary come from it. To add a stage, write its module with a function `run(context, ...)`, declare
it here, and write the generated files again (`ontime deploy definitions --write`).
"""

from __future__ import annotations

from dataclasses import dataclass
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
            it is passed to the stage's `run` as a named argument.
        default: Used when it is not given; None: the configured value.
        keyword: What it is called in `run`, where its name is a word of Python.
    """

    name: str
    kind: type[str | int | float]
    help: str
    setting: str | None = None
    default: Value | None = None
    keyword: str = ""

    @property
    def argument(self) -> str:
        """What it is called in the stage's `run`."""
        return self.keyword or self.name


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage of the pipeline.

    Attributes:
        name: Its command, entry point in MLproject, task in a job, and record.
        title: What it does, in a line.
        module: The module whose `run` does the work.
        reads: Upstream outputs that decide the result, as `stage.output`.
        outside: Inputs that no stage makes, by the name of what lists them with their checksums.
        settings: Sections or keys of the configuration that decide the result.
        places: Those that decide where the result is stored: another location computes it again.
        other_settings: Those that it reads and that decide neither: they are only recorded, or
            what they name counts by its content (`outside`).
        code: Modules that decide the result and that its own module does not import: it reaches
            them through its context.
        libraries: Distributions whose version decides the result.
        outputs: Outputs that it must return, for the stages after it and the summary.
        checks: How to see that what it made is still there, by name; `{output}` stands for an
            output, or each of its keys. A stage whose output is missing runs again.
        parameters: What a person may set when running it alone.
        by_table: Whether it has a record for each feature table: another horizon is another result
            beside it, and not a change of it.
        timeout_s: After how long a job ends it.
    """

    name: str
    title: str
    module: str
    reads: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    other_settings: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    by_table: bool = False
    timeout_s: int = 3600

    @property
    def upstream(self) -> tuple[str, ...]:
        """The stages that must have succeeded before this one, in order."""
        return tuple(dict.fromkeys(read.split(".")[0] for read in self.reads))


# Where and how a process runs: no result depends on them, and any stage may read them.
MACHINE_SETTINGS = ("environment", "home", "spark")

_TABLES = ("pyspark", "delta-spark", "great-expectations")
_REGISTRY = ("training.tracking_uri", "training.registry_uri", "training.experiment")
_MODEL = ("scikit-learn", "numpy", "pandas", "onnx", "onnxruntime")

STAGES: tuple[Stage, ...] = (
    Stage(
        name="ingest",
        title="source files to bronze, silver and quarantine tables",
        module="pipelines.ingest",
        outside=("source_files",),
        settings=("tables",),
        other_settings=("sources",),
        code=("pipelines.tables.delta_tables",),
        libraries=_TABLES,
        # By source (flights, weather, ...): rows received in all, new in this run, rows in
        # silver (`kept`) and in quarantine; content hash by silver table; main reasons with rows.
        outputs=("received", "new", "kept", "quarantine", "silver", "reasons", "data_docs"),
        checks=("table:silver_{silver}",),
        parameters=tuple(
            Parameter(
                name=source,
                kind=str,
                help=f"file, folder, glob or URI of {source}: CSV, JSON lines or Parquet",
                setting=f"sources.{source}",
            )
            for source in ("flights", "weather", "planes", "airports", "airlines")
        ),
    ),
    Stage(
        name="build_features",
        title="silver tables to the gold feature table",
        module="pipelines.build_features",
        reads=("ingest.silver",),
        settings=("features", "tables"),
        code=("pipelines.tables.delta_tables",),
        libraries=(*_TABLES, "deltalake", "numpy", "pyarrow"),
        outputs=("table", "version", "gold_hash", "rows", "data_docs"),
        checks=("table:{table}",),
        parameters=(
            Parameter(
                name="horizon_min",
                kind=int,
                help="minutes from the prediction time to the scheduled departure",
                setting="features.horizon_min",
            ),
            Parameter(
                name="as_of_ingest",
                kind=str,
                help="an instant: a table of its own, of what had been ingested by then",
                setting="features.as_of_ingest",
            ),
            Parameter(
                name="from",
                kind=str,
                help="first flight date to compute, YYYY-MM-DD; empty: from the beginning",
                default="",
                keyword="from_day",
            ),
            Parameter(
                name="to",
                kind=str,
                help="last flight date to compute, YYYY-MM-DD; empty: to the end",
                default="",
                keyword="to_day",
            ),
        ),
        by_table=True,
    ),
    Stage(
        name="train",
        title="gold to a fitted model with its MLflow run",
        module="pipelines.train",
        reads=("build_features.gold_hash",),
        settings=(
            "features.horizon_min",
            "features.late_from_min",
            "serving.model_name",
            "training.experiment",
            "training.split",
            "training.without_families",
            "training.naive_families",
            "training.model",
            "training.naive",
            "training.threshold",
            "training.evaluation",
        ),
        places=("training.tracking_uri",),
        # Its lineage has the whole configuration of the data and the model.
        other_settings=(
            "sources",
            "tables",
            "features.block_days",
            "features.as_of_ingest",
            "training.registry_uri",
            "training.gates",
            "training.sweep",
        ),
        libraries=_MODEL,
        outputs=("run_id",),
        checks=("tracking_run",),
        by_table=True,
    ),
    Stage(
        name="evaluate",
        title="the fitted model against the gates",
        module="pipelines.evaluate",
        reads=("build_features.gold_hash", "train.run_id"),
        settings=(
            "serving.model_name",
            "training.split",
            "training.without_families",
            "training.evaluation",
            "training.gates",
        ),
        places=_REGISTRY,
        # What is read there counts by its content; the model card describes how the run was made.
        other_settings=("tables.uri", "training.model", "training.threshold"),
        libraries=_MODEL,
        # figures: auc, auc_low, auc_high, auc_naive and what else the gates looked at; report: the
        # path of the model card.
        outputs=("passed", "reasons", "figures", "report"),
        by_table=True,
        timeout_s=1800,
    ),
    Stage(
        name="register",
        title="the evaluated model to a registered version, the challenger",
        module="pipelines.register",
        reads=("train.run_id", "evaluate.passed", "evaluate.reasons"),
        settings=("serving.model_name",),
        places=("serving.store_uri", *_REGISTRY),
        outputs=("version", "passed"),
        checks=("ledger_entry",),
        timeout_s=900,
    ),
    Stage(
        name="publish",
        title="the challenger's artifact and online features to the serving stores",
        module="pipelines.publish",
        reads=("ingest.silver", "register.version", "register.passed"),
        settings=("features.horizon_min", "serving.model_name", "operations.online_days"),
        places=(
            "serving.store_uri",
            "serving.stores.online",
            "serving.stores.prefix",
            "tables.uri",
            *_REGISTRY,
        ),
        outputs=("version", "manifest_sha256", "items"),
        checks=("model_package", "online_store"),
        timeout_s=1800,
    ),
    Stage(
        name="promote",
        title="the challenger to champion, if the rollout policy lets it",
        module="pipelines.promote",
        reads=("register.version", "register.passed", "publish.manifest_sha256"),
        settings=("serving.model_name", "operations.rollout", "operations.approval"),
        places=("serving.store_uri", *_REGISTRY),
        outputs=("version", "outcome", "reasons"),
        checks=("release_document",),
        timeout_s=900,
        parameters=(
            Parameter(name="by", kind=str, help="who decides", default="pipeline"),
            Parameter(name="reason", kind=str, help="why, for the ledger", default="gates passed"),
        ),
    ),
)


def stage_named(name: str) -> Stage:
    """Return the stage of that name.

    Raises:
        KeyError: There is none.
    """
    return {stage.name: stage for stage in STAGES}[name]
