"""`make train`: how good the model is, also under other conditions, and is there a better one?"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from features.errors import OntimeError
from pipelines.command import parser_of, run_command
from pipelines.figures import write_figures
from pipelines.proposal import write_proposal
from pipelines.runner import run_stage
from pipelines.stages import Parameter, stage_named
from pipelines.studied import study_of
from pipelines.study_card import card_with
from pipelines.study_report import lines_of
from serving.stores.files import write_whole
from training import study as studies
from training.run_files import write_files

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pipelines.context import RunContext
    from training.study import Study

PARAMETERS: Final = (
    Parameter(
        name="trials",
        kind=int,
        help="trials of the sweep, those of earlier attempts included; 0: no sweep",
        setting="training.sweep.trials",
    ),
    Parameter(
        name="minutes",
        kind=float,
        help="for how long trials are begun",
        setting="training.sweep.minutes",
    ),
    Parameter(
        name="workers",
        kind=int,
        help="trials at a time, one core each",
        setting="training.sweep.workers",
    ),
)


class SuspectedLeakError(OntimeError):
    """A model is too good to be true."""


def main(argv: Sequence[str] | None = None) -> int:
    """Study the model, and return the exit code: 1 if one of its variants must be a leak."""
    parser = parser_of("python -m pipelines.study", __doc__ or "", PARAMETERS)
    return run_command(parser, PARAMETERS, work, argv)


def work(context: RunContext, arguments: argparse.Namespace) -> None:
    """Make what is not there yet, study the model, print the report and write its figures.

    The parameters in use stay as they are: better ones are proposed in a file.

    Raises:
        SuspectedLeakError: A variant has an AUC from which on a leak is suspected.
    """
    for name in ("ingest", "build_features", "train", "evaluate"):
        run_stage(stage_named(name), context, force=arguments.force)
    tracking, reports = context.tracking, context.settings.home / "reports"
    base = str(context.outputs("train")["run_id"])
    with tracking.open_run("study", tags={"ontime.studied_run": base}) as run_id:
        study = study_of(context, base, run_id)
        card = card_with(context, base, study)
        proposal = write_proposal(reports, study.sweep, context.settings.training.model)
        tracking.log_metrics(run_id, study.figures)
        tracking.client.set_tag(run_id, "ontime.proposal", "yes" if proposal else "no")
        files = {"study.json": studies.to_json(study), "card.html": card}
        write_files(tracking.client, run_id, files)
    write_whole(reports / "model_card.html", card)
    path = write_figures(context.settings.home, "train", study.figures)
    for line in (*lines_of(study, proposal), "", f"figures: {path}"):
        context.console.say(line)
    require_no_leak(study, context.settings.training.gates.suspicious_auc)


def require_no_leak(study: Study, limit: float) -> None:
    """Do nothing if no variant is too good to be true.

    Raises:
        SuspectedLeakError: One is.
    """
    for each in study.variants:
        if each.auc.value >= limit:
            raise SuspectedLeakError(
                f"AUC is {each.auc.value:.4f} for {each.title}, and from {limit} on a leak of the "
                "label is suspected: run `make prove-no-leak` and look at the newest features."
            )


if __name__ == "__main__":
    sys.exit(main())
