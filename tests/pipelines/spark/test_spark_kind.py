"""The tests run against the requested kind of session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.mark.spark
def test_the_session_is_of_the_requested_kind(
    spark: SparkSession, request: pytest.FixtureRequest
) -> None:
    # Given the option / When the session is inspected / Then it is of Spark Connect, or classic
    remote = request.config.getoption("--spark-remote")
    kind = type(spark.range(1)).__module__
    assert kind.startswith("pyspark.sql.connect" if remote else "pyspark.sql.classic")
