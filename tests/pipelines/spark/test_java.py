from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipelines.settings import java_command
from pipelines.spark.java import JavaError, validate_java
from tests.pipelines.fake_java import fake_java

if TYPE_CHECKING:
    from pathlib import Path

VERSION_17 = 'openjdk version "17.0.15" 2025-04-15'


def test_the_java_of_this_machine_will_do() -> None:
    validate_java(java_command())


def test_java_home_names_the_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", "/opt/java")
    assert java_command() == "/opt/java/bin/java"
    monkeypatch.delenv("JAVA_HOME")
    assert java_command() == "java"


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ('echo "Segmentation fault" >&2; exit 139', r"java' does not run \(Segmentation fault\)"),
        ("exit 1", r"java' does not run \(no output\)"),
        (
            '[ "$1" = -version ] && echo \'java version "1.8.0_402"\' >&2',
            r"needs Java 17 or newer, and '.*java' is version 8\. Install a full Java 17",
        ),
        ("echo 'openjdk version \"11.0.2\"' >&2", r"is version 11\."),
        (
            f"[ \"$1\" = -version ] && echo '{VERSION_17}' >&2",
            r"is a trimmed Java without jdk\.incubator\.vector",
        ),
    ],
)
def test_a_java_that_cannot_run_spark_is_reported_in_one_sentence(
    tmp_path: Path, script: str, sentence: str
) -> None:
    with pytest.raises(JavaError, match=sentence):
        validate_java(fake_java(tmp_path, script))


def test_a_missing_java_is_reported_in_one_sentence() -> None:
    with pytest.raises(JavaError, match=r"'/nowhere/java': No such file .* JAVA_HOME"):
        validate_java("/nowhere/java")
