from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pipelines.settings import SparkSettings
from pipelines.spark import session
from pipelines.spark.session import DiskSpaceError, open_session, validate_free_space

if TYPE_CHECKING:
    from pathlib import Path


def test_a_full_disk_is_reported_before_anything_starts(tmp_path: Path) -> None:
    validate_free_space(tmp_path / "home", least=1)
    with pytest.raises(DiskSpaceError, match=r"Only [\d,]+ MB are free .* set ONTIME_HOME"):
        validate_free_space(tmp_path / "home", least=10**18)


def test_a_home_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskSpaceError, match=r"/file/home cannot be used: Not a directory"):
        validate_free_space(tmp_path / "file" / "home")


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        ("Could not reserve enough space for object heap", r"cannot give it 4g of memory"),
        ("java.io.IOException: No space left on device", r"disk of its temporary folder is full"),
        (
            "x\njava.lang.Exception: odd\n at y",
            r"did not start: java\.lang\.Exception: odd\. The w",
        ),
        ("", r"did not start: no log"),
    ],
)
def test_why_spark_did_not_start_is_read_from_its_log(
    tmp_path: Path, log: str, sentence: str
) -> None:
    (tmp_path / "spark.log").write_text(log)
    assert re.search(sentence, session.start_failure(tmp_path / "spark.log", SparkSettings()))


@pytest.mark.spark
def test_the_active_session_is_taken(spark: object, tmp_path: Path) -> None:
    assert open_session(SparkSettings(), home=tmp_path) is spark
    assert not (tmp_path / "logs").exists()


QUIET_START = """
import sys
from pathlib import Path
from pipelines.spark.session import open_session
from pipelines.settings import SparkSettings
remote = sys.argv[2] if len(sys.argv) > 2 else None
spark = open_session(SparkSettings(remote=remote, driver_memory="1g"), home=Path(sys.argv[1]))
spark.range(3).write.format("delta").save(sys.argv[1] + "/t")
print(spark.read.format("delta").load(sys.argv[1] + "/t").count(), type(spark).__module__)
print(spark.conf.get("spark.sql.session.timeZone"), spark.conf.get("spark.sql.ansi.enabled"))
spark.stop()
"""


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.parametrize(
    ("remote", "kind"), [([], "pyspark.sql.session"), (["local[1]"], "pyspark.sql.connect.session")]
)
def test_a_new_session_is_quiet_and_has_delta(tmp_path: Path, remote: list[str], kind: str) -> None:
    # Given a process of its own / When it starts Spark and writes a Delta table
    done = subprocess.run(
        [sys.executable, "-c", QUIET_START, str(tmp_path), *remote],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={key: value for key, value in os.environ.items() if key != "SPARK_REMOTE"},
    )
    # Then it works, in UTC and ANSI, and logs nothing unrequested
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"3 {kind}", "UTC true"]
    assert (tmp_path / "logs" / "spark.log").stat().st_size > 0


@pytest.mark.slow
@pytest.mark.spark
def test_a_session_that_cannot_start_is_reported_with_the_cause(tmp_path: Path) -> None:
    # Given a master that there is not
    script = QUIET_START.replace('driver_memory="1g"', 'driver_memory="1g", master="nowhere"')
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    # Then the error is ours
    assert "SparkStartError: Spark did not start: " in done.stderr
