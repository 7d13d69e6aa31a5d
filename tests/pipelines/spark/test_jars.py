from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path

import pytest

from pipelines.spark import jars
from pipelines.spark.jars import DELTA_JARS, JarsError, delta_jars
from tests.pipelines.fake_java import fake_java


def test_the_jars_are_those_of_the_delta_package() -> None:
    wanted = version("delta-spark")
    described = Path(jars.__file__).with_name("ivy.xml").read_text()
    assert all(wanted in name for name in DELTA_JARS)
    assert described.count(f'rev="{wanted}"') == len(DELTA_JARS)


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Make two small files the jars; return their contents."""
    contents = {"delta-spark.jar": "spark", "delta-storage.jar": "storage"}
    hashes = {n: hashlib.sha256(text.encode()).hexdigest() for n, text in contents.items()}
    monkeypatch.setattr(jars, "DELTA_JARS", hashes)
    return contents


def repository(folder: Path, contents: dict[str, str]) -> str:
    """Return a Java whose Ivy retrieves files of these contents."""
    script = 'for last; do :; done; to=$(dirname "$last")\n'
    script += "\n".join(f"printf '{text}' > \"$to/{name}\"" for name, text in contents.items())
    return fake_java(folder, f'echo started >> "{folder}/calls"\n{script}')


def test_jars_are_fetched_once_and_again_when_one_is_damaged(
    tmp_path: Path, whole: dict[str, str]
) -> None:
    java, folder, messages = repository(tmp_path, whole), tmp_path / "jars", list[str]()

    def fetch() -> list[Path]:
        return delta_jars(folder, java=java, ivy_settings=None, say=messages.append)

    # Given an empty folder / Then they are fetched, and cached
    assert [path.read_text() for path in fetch()] == list(whole.values())
    fetch()
    assert len(messages) == 1
    # Given a jar that is cut short / Then it is fetched again
    (folder / "delta-spark.jar").write_text("spa")
    assert [path.read_text() for path in fetch()] == list(whole.values())
    assert len(messages) == 2
    assert sorted(path.name for path in folder.iterdir()) == sorted(whole)


def test_jars_that_are_not_the_released_ones_are_refused(
    tmp_path: Path, whole: dict[str, str]
) -> None:
    java = repository(tmp_path, whole | {"delta-storage.jar": "something else"})
    with pytest.raises(JarsError, match=r"sent a delta-storage\.jar that is not the released one"):
        delta_jars(tmp_path / "jars", java=java, ivy_settings=None, say=lambda _: None)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (
            "Server access error at url x (java.net.UnknownHostException: repo)",
            r"java\.net\.UnknownHostException: repo\. The first start needs the network",
        ),
        (
            ":: io.delta#delta-spark_4.1_2.13;4.4.0: not found",
            r"delta-spark_4\.1_2\.13;4\.4\.0: not",
        ),
        ("", "no reason given"),
    ],
)
def test_jars_that_cannot_be_fetched_are_reported_with_cause_and_way_out(
    tmp_path: Path, output: str, reason: str
) -> None:
    java = fake_java(tmp_path, f"echo '{output}'; exit 1")
    with pytest.raises(JarsError, match=reason) as raised:
        delta_jars(tmp_path / "jars", java=java, ivy_settings=None, say=lambda _: None)
    assert str(tmp_path / "jars") in str(raised.value)


def test_a_folder_for_jars_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JarsError, match=r"cannot be stored in .*/file/jars: Not a directory"):
        delta_jars(tmp_path / "file" / "jars", java="java", ivy_settings=None, say=lambda _: None)
