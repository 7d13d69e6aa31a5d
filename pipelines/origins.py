"""What a model's lineage says of where it comes from: source files and configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from features.columns import SOURCE_CHECKSUM, SOURCE_FILE
from pipelines.at_once import at_once
from training.lineage import SourceLineage

if TYPE_CHECKING:
    from pipelines.context import RunContext
    from pipelines.settings import PipelineSettings


def sources_of(context: RunContext) -> tuple[SourceLineage, ...]:
    """Return every source file in bronze, whether or not it is still where it came from."""

    def files(source: str) -> list[SourceLineage]:
        rows = context.tables.read(f"bronze_{source}").select(SOURCE_FILE, SOURCE_CHECKSUM)
        found = rows.distinct().collect()
        return [SourceLineage(source, row[SOURCE_FILE], row[SOURCE_CHECKSUM]) for row in found]

    names = [source for source, _ in context.settings.sources]
    return tuple(sorted(file for found in at_once(files, names) for file in found))


def settings_of_result(settings: PipelineSettings) -> dict[str, Any]:
    """Return the configuration that decides a model, by section, as plain data.

    Where things are kept is left out: it decides nothing, and an address may hold a password.
    """
    data = settings.model_dump(mode="json")
    training = {key: value for key, value in data["training"].items() if key != "tracking_uri"}
    return {
        "sources": data["sources"],
        "tables": {"columnar": data["tables"]["columnar"]},
        "features": data["features"],
        "training": training,
        "serving": {"model_name": data["serving"]["model_name"]},
    }
