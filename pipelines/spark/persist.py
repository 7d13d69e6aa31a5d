"""Persisting a frame in memory, where the platform allows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.errors import PySparkException

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# What Databricks serverless compute answers.
_NOT_ALLOWED = ("NOT_SUPPORTED_WITH_SERVERLESS", "PERSIST TABLE is not supported")


def persisted(frame: DataFrame) -> DataFrame:
    """Return the frame, persisted once it is computed; unchanged where the platform refuses.

    A frame that is not persisted is computed each time it is read: slower, with the same rows.
    """
    try:
        return frame.persist()
    except PySparkException as error:
        if _is_refusal(error):
            return frame
        raise


def unpersist(frame: DataFrame) -> None:
    """Free the memory of a persisted frame."""
    try:
        frame.unpersist()
    except PySparkException as error:
        if not _is_refusal(error):
            raise


def _is_refusal(error: PySparkException) -> bool:
    return any(sign in str(error) for sign in _NOT_ALLOWED)
