"""The temporal split: a model is tested on flights later than all it was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc

from features.declare import columns as c
from ontime_base.errors import OntimeError
from training.data.parts import bounds_of
from training.data.samples import to_sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from features.declare.declarations import Feature
    from training.data.parts import Part, SplitSettings
    from training.data.samples import Sample


class SplitError(OntimeError):
    """A part of the split has no flights to train or test on."""


def part_of(
    gold: pa.Table, part: Part, features: Sequence[Feature], settings: SplitSettings
) -> Sample:
    """Return the labelled flights of one part, by their scheduled departure.

    Args:
        gold: Rows of the feature table; those without a label (not arrived) are left out.
        part: `train`: the model learns from these; `validate`: the operating threshold is chosen
            on these; `test`: quality is measured on these.
        features: The features wanted, in order.
        settings: The instants between the parts; each belongs to the later part.

    Raises:
        SplitError: The part has no flights, or they are all late or all on time.
    """
    start, end = bounds_of(part, settings)
    labelled = gold.filter(pc.is_valid(gold[c.LABEL]))
    departure = labelled[c.SCHEDULED_DEPARTURE]
    inside = pc.and_(pc.greater_equal(departure, start), pc.less(departure, end))
    sample = to_sample(labelled.filter(inside), features)
    if len(set(sample.label.tolist())) < 2:  # noqa: PLR2004 - the two values of the label
        found = "flights of only one label" if len(sample) else "no labelled flights"
        raise SplitError(
            f"The {part} part, from {start:%Y-%m-%d %H:%M}Z to {end:%Y-%m-%d %H:%M}Z, has {found}; "
            f"there are {_span(labelled)}: change training.split in conf/, or ingest more flights."
        )
    return sample


def _span(rows: pa.Table) -> str:
    if not len(rows):
        return "none at any time"
    found = pc.min_max(rows[c.SCHEDULED_DEPARTURE]).as_py()
    return f"flights from {found['min']:%Y-%m-%d} to {found['max']:%Y-%m-%d}"
