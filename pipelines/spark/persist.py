"""Keeping a frame in memory, where the platform lets one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.errors import PySparkException

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# What Databricks serverless compute says to it.
_NOT_HERE = ("NOT_SUPPORTED_WITH_SERVERLESS", "PERSIST TABLE is not supported")


def kept(frame: DataFrame) -> DataFrame:
    """Return the frame, kept in memory once it is computed; as it is where that cannot be.

    Without it a frame is computed as often as it is read: slower, and the same rows.
    """
    try:
        return frame.persist()
    except PySparkException as error:
        if _is_refusal(error):
            return frame
        raise


def let_go(frame: DataFrame) -> None:
    """Free the memory of a frame that was kept."""
    try:
        frame.unpersist()
    except PySparkException as error:
        if not _is_refusal(error):
            raise


def _is_refusal(error: PySparkException) -> bool:
    return any(sign in str(error) for sign in _NOT_HERE)
