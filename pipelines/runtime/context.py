"""The context that every stage gets, and the result that it returns."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from pipelines.runtime.console import Console
from pipelines.runtime.settings_reads import recorded
from pipelines.runtime.stage_records import StageRecords
from serving.settings import artifact_store_uri
from serving.stores.opening import open_artifact_store
from training.registry.model_registry import Registry
from training.settings import artifact_root, tracking_uri
from training.tracking.tracking_store import Tracking

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import SparkSession

    from pipelines.settings import PipelineSettings
    from pipelines.tables.delta_tables import Tables
    from pipelines.tables.table_reader import TableReader
    from serving.stores.artifacts.protocol import ArtifactStore

_COLLABORATORS: Final = {"artifacts", "tracking", "registry", "spark", "tables"}

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


@dataclass(frozen=True)
class StageOutcome:
    """The result of a stage that ran.

    Attributes:
        outputs: Kept in the stage's record; the stages after it read them, and rerun when those
            they read change. Small figures and names, never data.
        notes: Short lines for the person who watches, such as `flights: 336,776 rows`.
    """

    outputs: Mapping[str, Json]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunContext:
    """The context of every stage: settings, tables, records and a console.

    The Spark session is built when it is first asked for: a run with nothing to do starts none.

    Attributes:
        settings: The configuration of the environment.
        console: Where progress is printed.
        forced: The stages that are to rebuild everything.
        parent: The context of the run, where this is the one of a single stage.
    """

    settings: PipelineSettings
    console: Console = field(default_factory=Console)
    forced: set[str] = field(default_factory=set)
    parent: RunContext | None = None

    def recording(self, reads: set[str]) -> RunContext:
        """Return a context for one stage, whose settings add every key that is read to `reads`.

        It shares the Spark session, the stage records, the console and what is forced; stores and
        registry are opened again, so that what they are opened with is recorded, too.
        """
        child = replace(self, settings=recorded(self.settings, reads), parent=self)
        child.__dict__.update(self.__dict__.get("_given", {}))
        return child

    @cached_property
    def records(self) -> StageRecords:
        """The stage records below the home folder."""
        if self.parent is not None:
            return self.parent.records
        return StageRecords(self.settings.home / "stages", self.settings.features.key)

    @cached_property
    def artifacts(self) -> ArtifactStore:
        """The artifact store: model packages, release document, ledger."""
        return open_artifact_store(artifact_store_uri(self.settings.serving, self.settings.home))

    @cached_property
    def tracking(self) -> Tracking:
        """The training runs."""
        training, home = self.settings.training, self.settings.home
        store, artifacts = tracking_uri(training, home), artifact_root(training, home)
        return Tracking(store, training.experiment, artifacts)

    @cached_property
    def registry(self) -> Registry:
        """The versions of the registered model."""
        name, registry = self.settings.serving.model_name, self.settings.training.registry_uri
        return Registry(self.tracking.store, name, registry)

    @cached_property
    def spark(self) -> SparkSession:
        """The Spark session of this run, built on first use."""
        if self.parent is not None:
            return self.parent.spark
        from pipelines.spark import session  # noqa: PLC0415 - only now: a skipped run needs no Spark

        taken = session.taken_session()
        self.__dict__["_session_is_ours"] = taken is None
        return taken or session.open_session(
            self.settings.spark, home=self.settings.home, say=self.console.step
        )

    @cached_property
    def tables(self) -> Tables:
        """The Delta tables of this environment."""
        from pipelines.tables.delta_tables import Tables  # noqa: PLC0415 - a skipped run needs no Spark

        settings = self.settings
        remote = settings.spark.remote  # another machine has other folders
        here = remote is None or remote.startswith("local")
        columnar = settings.tables.columnar and here
        return Tables(lambda: self.spark, settings.tables_root, columnar=columnar)

    @cached_property
    def reader(self) -> TableReader:
        """The same tables, read without Spark where that is possible."""
        from pipelines.tables.table_reader import TableReader  # noqa: PLC0415 - a skipped run reads none

        return TableReader(self.settings.tables_root, lambda: self.tables)

    def using(self, **collaborators: Any) -> RunContext:  # noqa: ANN401 - a stand-in is of any type
        """Return a context that uses these collaborators instead of those that the settings name.

        It shares what this context has opened already, and never stops a session.

        Args:
            collaborators: By property: `artifacts`, `tracking`, `registry`, `spark` or `tables`.
        """
        unknown = collaborators.keys() - _COLLABORATORS
        if unknown:
            raise TypeError(f"A run context has no collaborator {', '.join(sorted(unknown))}.")
        other = copy(self)
        other.__dict__.pop("_session_is_ours", None)
        other.__dict__.update(collaborators)  # where a cached property is looked up first
        other.__dict__["_given"] = {**self.__dict__.get("_given", {}), **collaborators}
        return other

    def outputs(self, stage: str) -> Mapping[str, Any]:
        """Return the outputs of a stage's last success.

        Raises:
            StageNotRunError: The stage has no valid record; names the command to run.
        """
        return self.records.require(stage).outputs

    def close(self) -> None:
        """Stop the Spark session if we built one; one that was there is not ours to stop."""
        if self.__dict__.get("_session_is_ours"):
            self.spark.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
