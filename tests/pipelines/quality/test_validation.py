from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.sql import functions as F

from features.catalog import FEATURES
from features.silver.silver_tables import SILVER, to_silver
from pipelines.quality.data_docs import data_docs_index
from pipelines.quality.gold_suite import validate_gold
from pipelines.quality.silver_suite import validate_silver
from pipelines.quality.validation import DataQualityError, QualityReport, validate
from tests.features.raw_rows import raw_flights, silver_airports
from tests.pipelines.real_parts import gold

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark


# The most cells that are validated in memory: the small tables are, or Spark does it.
ENGINES = pytest.mark.parametrize("cells", [1_000, 0], ids=["in memory", "by Spark"])


def report(frame: DataFrame, home: Path, conditions: dict[str, str], cells: int) -> QualityReport:
    def expectations() -> list[Any]:
        from pipelines.quality import expectation_builders as expect  # noqa: PLC0415 - warns as it is imported

        return [
            expect.not_empty(),
            expect.columns_are(["a", "b", *conditions]),
            expect.unique(["a"]),
            expect.unique(["a", "b"]),
            *expect.present(["a"]),
            *expect.in_range("a", 0, 10),
            *expect.in_range("b", None, 5.5),
            *(expect.always(name) for name in conditions),
        ]

    rows = frame.count()
    return validate(
        frame,
        rows=rows,
        table="t",
        expectations=expectations,
        conditions=conditions,
        home=home,
        most_cells_in_memory=cells,
    )


@ENGINES
def test_a_table_that_is_as_expected_gets_a_page(
    spark: SparkSession, tmp_path: Path, cells: int
) -> None:
    # Given a table in which a column has no values
    frame = spark.createDataFrame([(1, None), (10, None)], "a int, b double")
    # When it is validated
    found = report(frame, tmp_path, {"a is odd or ten": "a % 2 = 1 OR a = 10"}, cells)
    # Then it has a page, which the index links
    assert (found.table, found.rows, found.expectations) == ("t", 2, 9)
    assert found.path.name == "t.met.html"
    assert "a is odd or ten" in found.path.read_text()
    assert 'href="t.met.html"' in data_docs_index(tmp_path).read_text()
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"


BROKEN = [
    ([], r"expect_table_row_count_to_be_between \(min_value 1.*\).*: observed 0\."),
    ([(1, 1.0), (1, 1.0)], r"unique .* and 1 more: observed 2 of 2 rows otherwise\."),
    ([(1, 1.0), (1, 2.0)], r"proportion_of_unique_values.* \(column a, .*: observed 0\.5\."),
    ([(1, 1.0), (None, 2.0)], r"expect_column_proportion_of_non_null.*column a.*: observed 0\.5\."),
    ([(-1, 1.0)], r"expect_column_min_if_any_to_be_between \(column a, .*: observed -1\."),
    ([(1, 6.5)], r"expect_column_max_if_any_to_be_between \(column b, .*: observed 6\.5\."),
]


@ENGINES
def test_a_table_that_is_not_names_the_expectation_and_what_was_observed(
    spark: SparkSession, tmp_path: Path, cells: int
) -> None:
    for rows, sentence in BROKEN:
        frame = spark.createDataFrame(rows, "a int, b double")
        with pytest.raises(DataQualityError, match=f"Table t does not meet .*{sentence}"):
            report(frame, tmp_path, {}, cells)
    assert 'href="t.broken.html"' in data_docs_index(tmp_path).read_text()


@ENGINES
def test_a_condition_that_is_null_is_broken(
    spark: SparkSession, tmp_path: Path, cells: int
) -> None:
    frame = spark.createDataFrame([(1, None), (2, 3.0)], "a int, b double")
    with pytest.raises(
        DataQualityError, match=r"column b is more, value_set \[True\]\): observed 1 of 2 rows"
    ):
        report(frame, tmp_path, {"b is more": "b > a"}, cells)


def test_flights_whose_events_contradict_are_not_silver(
    spark: SparkSession, tmp_path: Path
) -> None:
    bronze = raw_flights(spark, {}, {"flight": "2"})
    silver = to_silver(SILVER["flights"].candidates(bronze, silver_airports(spark)))
    assert validate_silver(silver, rows=2, source="flights", home=tmp_path).expectations > 20
    with pytest.raises(DataQualityError, match=r"Table silver_flights .*events agree"):
        validate_silver(
            silver.replace("arrived", "cancelled", ["status"]),
            rows=2,
            source="flights",
            home=tmp_path,
        )


def test_a_feature_table_meets_the_declarations_of_its_features(
    spark: SparkSession, tmp_path: Path
) -> None:
    # Given some of the real feature table
    frame = spark.createDataFrame(gold().slice(20_000, 300))
    # Then it equals the declarations
    assert validate_gold(frame, table="gold", home=tmp_path).rows == 300
    # But not with a value that cannot be, a column more, or a flight that is present twice
    name = next(feature.name for feature in FEATURES if feature.maximum is not None)
    for change, sentence in (
        (frame.withColumn(name, F.lit(1e9)), rf"max_if_any.*column {name}.*observed 1000000000\.0"),
        (frame.withColumn("more", F.lit(1)), r"expect_table_columns_to_match_set"),
        (frame.union(frame), r"proportion_of_unique.*flight_id.*observed 0\.5"),
    ):
        with pytest.raises(DataQualityError, match=sentence):
            validate_gold(change, table="gold", home=tmp_path)
