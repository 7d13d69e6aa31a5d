"""The peer of `make bench-run`: what a plain script of Spark does with the same file of flights.

A session, the file to a Delta table as text, typed, deduplicated by a window, to a Delta table by
month. It checks nothing, refuses no row, and knows no time zone; a further file is appended.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from pipelines.settings import java_command, load_settings
from pipelines.spark.jars import delta_jars

TEXTS = ("carrier", "tailnum", "origin", "dest")
KEY = ("carrier", "flight", "origin", "time_hour")


def plain_session() -> SparkSession:
    """Return a local session with Delta, set up as for small data, and with Ontime's memory."""
    spark = load_settings().spark
    folder = spark.jars_folder.expanduser()
    jars = delta_jars(folder, java=java_command(), ivy_settings=spark.ivy_settings, say=print)
    settings: dict[str, bool | float | int | str | None] = {
        "spark.jars": ",".join(map(str, jars)),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.driver.memory": spark.driver_memory,
        "spark.sql.shuffle.partitions": "4",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.ui.enabled": "false",
    }
    return SparkSession.builder.master("local[*]").config(map=settings).getOrCreate()


def typed(raw: DataFrame) -> DataFrame:
    """Return one row for each flight, with numbers and instants."""
    known = {name: F.nullif(F.col(name), F.lit("NA")) for name in raw.columns}
    types = {name: "int" for name in raw.columns if name not in TEXTS} | {"time_hour": "timestamp"}
    columns = [known[name].cast(types.get(name, "string")).alias(name) for name in raw.columns]
    newest = F.row_number().over(Window.partitionBy(*KEY).orderBy("dep_time"))
    rows = raw.select(*columns).withColumn("row", newest).where("row = 1")
    return rows.drop("row")


def main(file: str, folder: str) -> None:
    """Append a CSV file of flights to the tables in a folder; the first file creates them."""
    spark = plain_session()
    bronze, silver = f"{folder}/bronze", f"{folder}/silver"
    before = spark.read.format("delta").load(bronze).count() if Path(bronze).exists() else 0
    raw = spark.read.csv(file, header=True)
    raw.write.format("delta").mode("append").save(bronze)
    source = raw if before else spark.read.format("delta").load(bronze)
    typed(source).write.format("delta").mode("append").partitionBy("year", "month").save(silver)
    rows = spark.read.format("delta").load(silver).count()
    print(f"{rows} rows, {before} before")
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
