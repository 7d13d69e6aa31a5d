"""The feature contract: canonical JSON, validation, hash, conflicts."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from features.catalog import FEATURES
from features.contract.feature_contract import (
    ContractError,
    conflicts_between,
    contract_of,
    feature_hash,
    from_json,
    selected,
    to_json,
)
from features.declare import columns as c
from features.declare.streams import STREAMS


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
    ("data", "message"),
    [(b"{", "not valid"), (b"[]", "not valid"), (b'{"schema":1}', "not valid")],
)
def test_broken_json_is_refused(data: bytes, message: str) -> None:
    # Given bytes that are not a contract / When they are read / Then the error names the cause
    with pytest.raises(ContractError, match=message):
        from_json(data)


def test_another_schema_is_refused() -> None:
    # Given a contract of a later schema / When / Then both versions are named
    data = to_json(contract_of(120, 0.25)).replace(b'"schema": 1', b'"schema": 9')
    with pytest.raises(ContractError, match="schema 9, this code reads 1"):
        from_json(data)


def test_the_hash_depends_on_the_declarations() -> None:
    # Given a feature / When what it reads or means in numbers changes / Then so does the hash
    feature = FEATURES[-1]
    changes = (
        {"name": "another"},
        {"unit": "h"},
        {"dtype": "string"},
        {"inputs": feature.inputs[:-1]},
        {"compute": FEATURES[0].compute},
    )
    hashes = {feature_hash([replace(feature, **change)]) for change in changes}
    assert len(hashes | {feature_hash([feature])}) == len(changes) + 1
    # And in another order it is another
    assert feature_hash(FEATURES) != feature_hash(FEATURES[::-1])


def test_the_hash_of_released_declarations_does_not_change() -> None:
    # Given features of every kind of input, from the first release
    names = ["overdue_minutes_all", "leg_delay", "late_carrier_28d", "ahead_origin", "wind_speed"]
    # Then their hash is that of the release, whatever the Python names of classes became
    assert feature_hash(selected(names)) == (
        "f49ac4f43ef21ef09bb70eb98a8d6b06e8fca00f2f3f8d707404e5cbd3f7871c"
    )


def test_the_hash_does_not_depend_on_wording() -> None:
    # Given a feature / When only its wording changes / Then the hash stays
    reworded = replace(FEATURES[-1], definition="in other words", null="nothing there", family="x")
    assert feature_hash([FEATURES[-1]]) == feature_hash([reworded])


def test_the_hash_depends_on_the_known_at_rule_of_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a feature of departures, and one of weather
    late, wind = selected(["departure_late_all_3h", "wind_speed"])
    before = feature_hash([late]), feature_hash([wind])
    # When the departures count from another instant
    other = replace(STREAMS["departures"], at=c.SCHEDULED_DEPARTURE)
    monkeypatch.setitem(STREAMS, "departures", other)
    # Then the hash of the one feature changes, and that of the other stays
    assert feature_hash([late]) != before[0]
    assert feature_hash([wind]) == before[1]


def test_models_of_other_features_can_be_served_side_by_side() -> None:
    # Given contracts of features that overlap, and thresholds of their own
    names = [feature.name for feature in FEATURES]
    one, other = contract_of(120, 0.3, names[:5]), contract_of(120, 0.4, names[3:9])
    # Then there is no conflict
    assert conflicts_between(one, other) == ()


def test_conflicts_between_models_are_described() -> None:
    # Given a champion for which the distance is in kilometres, and late is something else
    one = contract_of(120, 0.3)
    far = [
        msgspec.structs.replace(spec, unit="km") if spec.name == "distance" else spec
        for spec in one.features
    ]
    other = msgspec.structs.replace(one, features=tuple(far), label="arrival delay >= 30 min")
    # When they are compared, Then both conflicts are described
    label, distance = conflicts_between(one, other)
    assert "arrival delay >= 30 min" in label
    assert distance == "distance is float64 in mi in one and float64 in km in the other"


def test_another_label_is_another_contract_that_is_not_served_beside_the_default() -> None:
    # Given contracts of two labels
    default, other = contract_of(120, 0.25), contract_of(120, 0.25, late_from_min=45)
    # Then each states from how many minutes on a flight is late, also after a round trip
    assert (default.label, default.late_from_min) == ("arrival delay >= 15 min", 15)
    assert from_json(to_json(other)).late_from_min == 45
    assert any("the label is" in each for each in conflicts_between(default, other))


def test_a_label_unknown_to_this_code_is_refused() -> None:
    with pytest.raises(ContractError, match="has the label 'cancelled'"):
        _ = msgspec.structs.replace(contract_of(120, 0.25), label="cancelled").late_from_min
