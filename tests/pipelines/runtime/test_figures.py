from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipelines.runtime.figures import write_figures

if TYPE_CHECKING:
    from pathlib import Path


def test_figures_are_one_flat_file_that_is_replaced_as_a_whole(tmp_path: Path) -> None:
    # Given figures that were written before / When they are written again
    write_figures(tmp_path, "work", {"rows": 1, "gone": True})
    path = write_figures(tmp_path, "work", {"rows": 2, "ratio": 0.5})
    # Then the file has the new ones alone, and nothing unfinished lies beside it
    assert path == tmp_path / "figures" / "work.json"
    assert json.loads(path.read_text()) == {"rows": 2, "ratio": 0.5}
    assert [file.name for file in path.parent.iterdir()] == ["work.json"]
