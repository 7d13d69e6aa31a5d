"""Stage promote: promotes the challenger to champion, if the rollout policy allows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operations.release.deciders import PIPELINE, require_text
from pipelines.release.promotion import promote
from serving.models.release_document import ReleasedVersion

if TYPE_CHECKING:
    from pipelines.runtime.context import RunContext, StageOutcome


def run(context: RunContext, *, by: str = PIPELINE, reason: str = "gates passed") -> StageOutcome:
    """Make the registered version the champion, or say why it has to wait.

    Args:
        context: What every stage is given.
        by: Who decides.
        reason: Why, for the ledger.

    Raises:
        DeciderError: The name or the reason is not one line of text.
        PromotionRefusedError: Its gates or a person refused it; the champion keeps answering.
        RegistryError: The registry does not have the version.
        LedgerConflictError: Somebody else released something meanwhile.
    """
    require_text(by, reason)
    version = str(context.outputs("register")["version"])
    manifest = str(context.outputs("publish")["manifest_sha256"])
    return promote(context, ReleasedVersion(version, manifest), by=by, reason=reason)
