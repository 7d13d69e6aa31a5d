"""The temporal split: the model is judged on flights later than all it has learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from features import columns as c
from features.errors import OntimeError
from training.samples import to_sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import pyarrow as pa

    from features.declarations import Feature
    from training.samples import Sample
    from training.settings import SplitSettings


class SplitError(OntimeError):
    """A part of the split has no flights to learn from or to be judged by."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """The labelled flights before, in between and after.

    Attributes:
        train: The model learns from these.
        validate: The operating threshold is chosen on these.
        test: Quality is measured on these.
    """

    train: Sample
    validate: Sample
    test: Sample


def split_flights(gold: pa.Table, features: Sequence[Feature], settings: SplitSettings) -> Parts:
    """Return the labelled flights of the feature table, split by scheduled departure.

    Args:
        gold: Rows of the feature table; those without a label (not arrived) are left out.
        features: The model's inputs, in order.
        settings: The instants between the parts; each belongs to the later part.

    Raises:
        SplitError: A part has no flights, or its flights are all late or all on time.
    """
    labelled = gold.filter(pc.is_valid(gold[c.LABEL]))
    bounds = {
        "train": (settings.train_from, settings.validate_from),
        "validate": (settings.validate_from, settings.test_from),
        "test": (settings.test_from, settings.test_until),
    }
    parts = {
        name: _part(name, labelled, features, start, end) for name, (start, end) in bounds.items()
    }
    return Parts(**parts)


def _part(
    name: str, rows: pa.Table, features: Sequence[Feature], start: datetime, end: datetime
) -> Sample:
    departure = rows[c.SCHEDULED_DEPARTURE]
    inside = pc.and_(pc.greater_equal(departure, start), pc.less(departure, end))
    sample = to_sample(rows.filter(inside), features)
    if len(set(sample.label.tolist())) < 2:  # noqa: PLR2004 - the two values of the label
        found = "no labelled flights" if not len(sample) else "flights of only one label"
        span = _span(rows)
        raise SplitError(
            f"The {name} part, from {start:%Y-%m-%d %H:%M}Z to {end:%Y-%m-%d %H:%M}Z, has {found}; "
            f"the feature table has {span}: change training.split in conf/, or ingest more flights."
        )
    return sample


def _span(rows: pa.Table) -> str:
    if not len(rows):
        return "none at all"
    found = pc.min_max(rows[c.SCHEDULED_DEPARTURE]).as_py()
    return f"flights from {found['min']:%Y-%m-%d} to {found['max']:%Y-%m-%d}"
