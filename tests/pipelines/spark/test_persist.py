from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pyspark.errors import AnalysisException

from pipelines.spark.persist import persisted, unpersist

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SERVERLESS = "[NOT_SUPPORTED_WITH_SERVERLESS] PERSIST TABLE is not supported on serverless compute."


class Refusing:
    """Stands for a frame on serverless compute, which does not run here; the words are its own."""

    def __init__(self, words: str) -> None:
        self.words = words

    def persist(self) -> Any:
        raise AnalysisException(self.words)

    unpersist = persist


@pytest.mark.spark
def test_a_frame_is_persisted_and_unpersisted(spark: SparkSession) -> None:
    # Given a frame / When it is persisted / Then it is in memory, until it is unpersisted
    frame = persisted(spark.range(3))
    assert frame.storageLevel.useMemory
    unpersist(frame)
    assert not frame.storageLevel.useMemory


def test_where_persisting_is_refused_the_frame_is_used_as_it_is() -> None:
    # Given a frame of serverless compute
    # When it is persisted and unpersisted / Then nothing fails
    frame: Any = Refusing(SERVERLESS)
    assert persisted(frame) is frame
    unpersist(frame)


def test_any_other_error_is_one() -> None:
    frame: Any = Refusing("[UNRESOLVED_COLUMN] x")
    for act in (persisted, unpersist):
        with pytest.raises(AnalysisException, match="UNRESOLVED_COLUMN"):
            act(frame)
