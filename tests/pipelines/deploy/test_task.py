from __future__ import annotations

import pytest

from pipelines.deploy import task


def test_a_stage_that_does_well_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    given: list[tuple[object, ...]] = []

    def stage_main(*arguments: object) -> int:
        given.append(arguments)
        return 0

    monkeypatch.setattr(task, "stage_main", stage_main)
    # When
    task.main(["train", "--force", "no"])
    # Then
    assert given == [("train", ["--force", "no"])]


def test_a_stage_that_fails_ends_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setattr(task, "stage_main", lambda *_: 1)
    # When / Then
    with pytest.raises(SystemExit) as ended:
        task.main(["train"])
    assert ended.value.code == 1


@pytest.mark.parametrize("arguments", [[], ["fly"]])
def test_what_is_no_stage_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    # When / Then
    with pytest.raises(SystemExit) as ended:
        task.main(arguments)
    assert ended.value.code == 2
    assert "give one of ingest, build_features" in capsys.readouterr().err
