"""Names and reasons in the ledger are those of people, as they typed them."""

from __future__ import annotations

import pytest

from operations.release.deciders import DeciderError, require_person, require_text


@pytest.mark.parametrize("by", ["Ada", "Zoë O'Brien", "ci-bot", "pipeline-team"])
def test_a_person_with_a_reason_decides(by: str) -> None:
    require_person(by, "false alarms at JFK")


@pytest.mark.parametrize(
    "by",
    ["", "  ", "Ada\nEve", "\x1b[31mAda", "Ada\u202e.", "pipeline", "Pipeline", "\uff30ipeline"],
)
def test_another_name_is_refused(by: str) -> None:
    with pytest.raises(DeciderError, match=r"^--by") as refused:
        require_person(by, "why")
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("reason", ["", "a\nb", "a\x1b[0m", "x" * 1001])
def test_another_reason_is_refused(reason: str) -> None:
    with pytest.raises(DeciderError, match=r"^--reason"):
        require_person("Ada", reason)


def test_the_pipeline_itself_has_its_name() -> None:
    require_text("pipeline", "gates passed")
