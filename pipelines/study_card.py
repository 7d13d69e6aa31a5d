"""The model card with what a study found out; the card of the run itself stays as it was judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.gold import read_part
from training import learning, lineage
from training.judgement import read_judgement
from training.report.card import CardContent, card_of
from training.report.insight import insights_of
from training.report.plots import plots_of
from training.run_files import CURVE_FILE, LINEAGE_FILE, read_file
from training.run_log import load_models
from training.scoring import score_sample

if TYPE_CHECKING:
    from pipelines.context import RunContext
    from training.study import Study


def card_with(context: RunContext, run_id: str, study: Study) -> bytes:
    """Return the card of a training run with a study of its model.

    Args:
        context: What every stage is given.
        run_id: The training run, judged.
        study: What was found out about its model.
    """
    tracking = context.tracking
    judgement = read_judgement(tracking, run_id)
    model, naive, contract = load_models(tracking, run_id)
    flights = score_sample(read_part(context, "test"), model, naive)
    origin = lineage.from_json(read_file(tracking.client, run_id, LINEAGE_FILE))
    plots = plots_of(flights, judgement.evaluation)
    if judgement.importances is not None:
        curve = learning.from_json(read_file(tracking.client, run_id, CURVE_FILE))
        plots |= insights_of(curve, judgement.importances, judgement.evaluation)
    content = CardContent(judgement, contract, origin, plots, study)
    return card_of(content, context.settings.training)
