"""The contract: canonical, complete, and refused when it does not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from features.catalog import FEATURES
from features.contract import (
    ContractError,
    contract_of,
    feature_hash,
    from_json,
    selected,
    to_json,
)


def test_a_contract_survives_json() -> None:
    # Given the contract of all features
    contract = contract_of(120, 0.25)
    # When it is written and read
    again = from_json(to_json(contract))
    # Then it is the same, and so are its bytes
    assert again == contract
    assert to_json(again) == to_json(contract)
    assert set(again.numeric) | set(again.categorical) == {f.name for f in FEATURES}


def test_a_contract_can_be_of_some_features() -> None:
    # Given two names / When / Then they come in that order
    contract = contract_of(120, 0.25, ["visibility", "carrier"])
    assert [spec.name for spec in contract.features] == ["visibility", "carrier"]
    assert contract.categorical == ("carrier",)


def test_an_undeclared_feature_is_named() -> None:
    # Given a name that is not declared / When / Then it is named, with the way out
    with pytest.raises(ContractError, match=r"declared as nonsense.*docs/features\.md"):
        selected(["visibility", "nonsense"])


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"{", "not valid"), (b"[]", "not valid"), (b'{"schema":1}', "not valid")],
)
def test_broken_json_is_refused(data: bytes, says: str) -> None:
    # Given bytes that are no contract / When / Then the error says so
    with pytest.raises(ContractError, match=says):
        from_json(data)


def test_another_schema_is_refused() -> None:
    # Given a contract of a later schema / When / Then both versions are named
    data = to_json(contract_of(120, 0.25)).replace(b'"schema": 1', b'"schema": 9')
    with pytest.raises(ContractError, match="schema 9, this code reads 1"):
        from_json(data)


def test_the_hash_follows_the_declarations() -> None:
    # Given a feature / When what it reads changes / Then so does the hash, and only then
    feature = FEATURES[-1]
    other = replace(feature, inputs=feature.inputs[:-1])
    reworded = replace(feature, definition="in other words")
    assert feature_hash([feature]) != feature_hash([other])
    assert feature_hash([feature]) == feature_hash([reworded])
