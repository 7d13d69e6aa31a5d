"""Batch scoring of a year, or of a range of days, into the table of predictions."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.declare.columns import FLIGHT_DATE
from features.settings import FeatureSettings
from ontime_base.errors import OntimeError
from pipelines.batch.batch_predictions import MODEL_VERSION, batch_model, to_predictions
from pipelines.batch.score_check import compare_requests, compare_rows
from pipelines.run import run_pipeline
from pipelines.runtime.figures import write_figures
from serving.models.model_package import list_versions
from serving.models.release_document import read_release
from serving.models.scorer import TOLERANCE
from training.registry.registry_backends import CHAMPION, alias_named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from features.offline.blocks import DayRange
    from pipelines.batch.batch_predictions import BatchModel
    from pipelines.runtime.context import RunContext


class NotReleasedError(OntimeError):
    """The version to score with was not published."""


class ScoresDifferError(OntimeError):
    """A batch score is not the one that the service gives."""


@dataclass(frozen=True, slots=True)
class Scored:
    """The result of one pass over the feature table.

    Attributes:
        rows: How many.
        seconds: From reading the feature table to the commit of the predictions.
    """

    rows: int
    seconds: float

    @property
    def rows_per_minute(self) -> int:
        """Rows in a minute at this speed."""
        return round(self.rows / self.seconds * 60)


def score_version(
    context: RunContext,
    *,
    days: DayRange,
    version: str = "champion",
    check: bool = False,
    release_one: Callable[[RunContext], object] = run_pipeline,
) -> None:
    """Release a version if none is, score, print the report and write the figures.

    Args:
        context: What every stage is given.
        days: Flight dates.
        version: A published version, or champion, or challenger.
        check: Score once more, and compare every score with the service's.
        release_one: Called where nothing is released yet.

    Raises:
        NotReleasedError: The version was not published.
        ModelRefusedError: It is damaged, or not of this code.
        TableMissingError: There is no feature table of the version's horizon.
        ScoresDifferError: A score is not the one that the service gives.
    """
    if read_release(context.artifacts) is None:
        release_one(context)
    name = context.settings.serving.model_name
    published, manifest = _published(context, version)
    model = batch_model(
        context.artifacts, model_name=name, version=published, manifest_sha256=manifest
    )
    started = time.perf_counter()
    _ = context.spark
    figures: dict[str, float | str] = {
        "session_seconds": round(time.perf_counter() - started, 1),
        "table": tables_of(model)[1],
        "model_version": model.version,
    }
    first = score_days(context, model, days=days)
    figures |= {"rows": first.rows, "rows_per_minute_first": first.rows_per_minute}
    warm = score_days(context, model, days=days) if check else first
    figures |= {"seconds": round(warm.seconds, 2), "rows_per_minute": warm.rows_per_minute}
    if check:
        figures |= _compared(context, model, days)
    path = write_figures(context.settings.home, "score-batch", figures)
    for line in _report(figures):
        context.console.say(line)
    context.console.say(f"figures: {path}")
    validate_equal_scores(figures)


def score_days(context: RunContext, model: BatchModel, *, days: DayRange) -> Scored:
    """Write the predictions of a version for a range of days, in place of those it had there.

    One commit, and the same again changes nothing but `scored_at`. Predictions of other versions,
    and of other days, stay.

    Args:
        context: Session and tables.
        model: What scores.
        days: Flight dates.
    """
    started = time.perf_counter()
    tables, (gold, name) = context.tables, tables_of(model)
    version = tables.version(gold)
    rows = tables.read(gold, version).where(days.sql(FLIGHT_DATE))
    scored_at = dt.datetime.now(dt.UTC)
    predictions = to_predictions(rows, model, gold_version=version, scored_at=scored_at)
    described = f"score_batch: version {model.version}, {gold} version {version}"
    where = _where(model, days)
    tables.replace_where(name, predictions, predicate=where, description=described)
    seconds = time.perf_counter() - started
    return Scored(tables.read(name).where(where).count(), seconds)


def tables_of(model: BatchModel) -> tuple[str, str]:
    """Return the names of the feature table that a model reads, and of the table it fills."""
    contract = model.contract
    features = FeatureSettings(
        horizon_min=contract.horizon_min, late_from_min=contract.late_from_min
    )
    return features.table, f"predictions_{features.key}"


def _where(model: BatchModel, days: DayRange) -> str:
    return f"{MODEL_VERSION} = '{model.version}' AND {days.sql(FLIGHT_DATE)}"


def _published(context: RunContext, word: str) -> tuple[str, str | None]:
    """Return the version that a number or an alias names, and its manifest where it is released."""
    versions = list_versions(context.artifacts, model_name=context.settings.serving.model_name)
    if word in versions:
        return word, None
    known = f"published: {', '.join(versions) or 'none'}"
    if word.isdigit():
        raise NotReleasedError(f"Version {word} was not published: give another ({known}).")
    alias = alias_named(word)
    release = read_release(context.artifacts)
    released = None
    if release is not None:
        document = release.document
        released = document.champion if alias == CHAMPION else document.challenger
    if released is None:
        raise NotReleasedError(
            f"No version is released as {alias}: give a version ({known}), or promote one."
        )
    return released.version, released.manifest_sha256


def _compared(context: RunContext, model: BatchModel, days: DayRange) -> dict[str, float | str]:
    """Return how far the written scores are from those that the service gives."""
    gold, name = tables_of(model)
    rows = context.tables.read(gold).where(days.sql(FLIGHT_DATE))
    written = context.tables.read(name).where(_where(model, days))
    alone = compare_rows(rows, written, model)
    asked = compare_requests(context, written, model)
    return {
        "max_difference": max(alone.largest_difference, asked.largest_difference),
        "rows_compared": alone.flights,
        "max_difference_rows": alone.largest_difference,
        "requests_compared": asked.flights,
        "max_difference_requests": asked.largest_difference,
    }


def validate_equal_scores(figures: Mapping[str, float | str]) -> None:
    """Do nothing if the scores are the service's, or were not compared.

    Raises:
        ScoresDifferError: A score differs by more than the tolerance.
    """
    largest = float(figures.get("max_difference", 0.0))
    if not largest <= TOLERANCE:
        raise ScoresDifferError(
            f"A score differs by {largest:.3g} from the service's, more than {TOLERANCE:g}: if "
            "it is the answers to requests, the online store is older than this code or its "
            "feature table: fill it again with `make run`."
        )


def _report(figures: Mapping[str, float | str]) -> list[str]:
    version, table = figures["model_version"], figures["table"]
    lines = ["", f"{figures['rows']:,} flights scored by version {version} into {table}"]
    figure_lines = [
        (f"{figures['rows_per_minute_first']:,}", "rows/minute, the first of a session")
    ]
    if "max_difference" in figures:
        seconds = figures["seconds"]
        rows, requests = (f"{figures[f'{name}_compared']:,}" for name in ("rows", "requests"))
        figure_lines += [
            (f"{figures['rows_per_minute']:,}", f"rows/minute, once more: {seconds} s"),
            (f"{figures['max_difference_rows']:.3g}", f"from the scorer, {rows} rows one by one"),
            (
                f"{figures['max_difference_requests']:.3g}",
                f"from the answers to {requests} requests",
            ),
        ]
    return lines + [f"  {figure:>12}  {meaning}" for figure, meaning in figure_lines]
