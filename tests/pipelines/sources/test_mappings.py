from __future__ import annotations

import pyarrow as pa
import pytest

from features.silver.raw import RAW_COLUMNS, UNREADABLE
from pipelines.sources.mappings import Layouts, Mapping, ShapeError, load_mappings

AIRLINES = RAW_COLUMNS["airlines"]
OURS = Mapping.model_validate(
    {
        "title": "their airlines",
        "source": "airlines",
        "columns": {"carrier": ["code", "id"], "name": ["title"]},
        "ours": {"column": "carrier", "among": ["UA"]},
    }
)
LAYOUTS = Layouts(AIRLINES, (OURS,))


def test_the_source_s_own_shape_comes_first() -> None:
    # Given a file that has the columns of both / When its layout is asked for / Then it is our own
    layout = LAYOUTS.of(["code", "title", "name", "carrier"])
    assert (layout.mapping, layout.ignored) == (None, ("code", "title"))


def test_the_first_name_that_a_file_has_is_read() -> None:
    assert LAYOUTS.of(["title", "id"]).reads == {"carrier": "id", "name": "title"}
    assert LAYOUTS.of(["title", "id", "code"]).reads == {"carrier": "code", "name": "title"}


def test_rows_of_others_are_left_out_and_what_tells_nothing_stays() -> None:
    # Given rows of ours, of others, of nobody, and one that could not be read
    layout = LAYOUTS.of(["title", "code"])
    columns = {
        "code": ["UA", "DL", None, "", None],
        "title": ["United", "Delta", "x", "y", None],
        UNREADABLE: [None, None, None, None, "1,2,3"],
    }
    rows = pa.table(
        {name: pa.chunked_array([values], pa.string()) for name, values in columns.items()}
    )
    # When they become rows of the source / Then only the others' are gone
    kept = layout.only_ours(layout.to_source(rows))
    assert kept.column_names == [*AIRLINES, UNREADABLE]
    assert kept["name"].to_pylist() == ["United", "x", "y", None]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["carrier"], r"^lacks the column name \(it has carrier\)"),
        (["code", "x", "y"], r"^their airlines: lacks the column title \(it has code, x, y\)"),
        (["code", "code", "title"], r"has the column code more than once"),
        (["carrier;name"], r"separated by semicolons"),
    ],
)
def test_what_is_wrong_is_told(names: list[str], sentence: str) -> None:
    with pytest.raises(ShapeError, match=sentence):
        LAYOUTS.of(names)


def test_the_bureau_s_files_are_not_taken_for_anything_else() -> None:
    # Given the mappings of flights / When a file of weather is looked at / Then it has none of them
    layouts = Layouts(RAW_COLUMNS["flights"], load_mappings("flights"))
    with pytest.raises(ShapeError, match="lacks the columns"):
        layouts.of(RAW_COLUMNS["weather"])
