from __future__ import annotations

import pytest

from pipelines.runtime.fingerprint import difference, fingerprint


@pytest.mark.parametrize(
    ("before", "now", "text"),
    [
        ({"a": "1"}, {"a": "1"}, ""),
        ({"a": "1"}, {"a": "2"}, "a is 2, was 1"),
        ({"a": "1" * 64}, {"a": "2" * 64}, "a changed"),
        ({}, {"a": "1"}, "a is new"),
        ({"a": "1"}, {}, "a is gone"),
        (
            {"a": "1", "b": "1", "c": "1"},
            {"a": "1", "b": "2", "d": "1"},
            "b is 2, was 1, and 2 more",
        ),
    ],
)
def test_a_difference_is_described_in_a_few_words(
    before: dict[str, str], now: dict[str, str], text: str
) -> None:
    assert difference(before, now) == text


def test_a_fingerprint_does_not_depend_on_the_order_of_the_parts() -> None:
    assert fingerprint({"a": "1", "b": "2"}) == fingerprint({"b": "2", "a": "1"})
    assert fingerprint({"a": "1"}) != fingerprint({"a": "2"})
