"""What does not exist under Spark Connect, or is slow row by row, is not in the packages."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("ontime_base", "features", "training", "serving", "operations", "pipelines")
NOT_IN_CONNECT = {
    "rdd",
    "sparkContext",
    "_jvm",
    "_jsc",
    "_jsparkSession",
    "_jdf",
    "SparkContext",
    "RDD",
}
ROW_AT_A_TIME = {"udf", "pandas_udf", "registerJavaFunction"}
TO_THE_DRIVER = {"collect", "toPandas", "toLocalIterator", "toArrow"}


def named(tree: ast.AST) -> set[str]:
    """Return the attributes and imported names that code uses."""
    found = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names}
    return found


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_no_code_needs_what_spark_connect_lacks_or_runs_row_by_row(package: str) -> None:
    # Given the modules of a package / Then none of them names such a thing
    banned = NOT_IN_CONNECT | ROW_AT_A_TIME
    wrong = {
        str(path.relative_to(ROOT)): sorted(used)
        for path in sources(package)
        if (used := named(ast.parse(path.read_text(encoding="utf-8"))) & banned)
    }
    assert not wrong


def test_features_collect_nothing_on_the_driver() -> None:
    wrong = {
        str(path.relative_to(ROOT)): sorted(used)
        for path in sources("features")
        if (used := named(ast.parse(path.read_text(encoding="utf-8"))) & TO_THE_DRIVER)
    }
    assert not wrong


def test_the_rule_would_find_them() -> None:
    # Given code that breaks each rule / When / Then the names are found
    code = "from pyspark.sql.functions import udf\nx = df.rdd\ny = df.toPandas()\ns._jvm.a\n"
    found = named(ast.parse(code))
    assert {"udf", "rdd", "_jvm"} <= found & (NOT_IN_CONNECT | ROW_AT_A_TIME)
    assert "toPandas" in found & TO_THE_DRIVER
