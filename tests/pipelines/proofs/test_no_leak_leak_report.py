from __future__ import annotations

import pytest

from features.leaks.planted_leaks import PLANTED
from features.leaks.prover import Leak, Proof
from pipelines.proofs.no_leak import LeakError, LeakReport

LEAK = Leak("peek", 22_860_000, 3, "UA-1-2013061900", 1.0, None)
CLEAN = Proof((22_860_000,), 500, (), frozenset({"wind"}))
LEAKY = Proof((22_860_000,), 500, (LEAK,), frozenset({"wind", "peek"}))


def report(*, declared: Proof, planted: Proof) -> LeakReport:
    return LeakReport(3, declared, ((PLANTED[0], planted),))


def test_a_clean_proof_that_catches_what_is_planted_passes() -> None:
    # Given no leak, and the planted one caught / When the report is asked
    found = report(declared=CLEAN, planted=LEAKY)
    found.require_clean()
    # Then figures and text say so
    assert found.figures() == {
        "features": 3,
        "instants": 1,
        "values": 500,
        "tested": 1,
        "leaks": 0,
        "planted": 1,
        "caught": 1,
    }
    text = "\n".join(found.lines())
    assert "0 changed with what became known then or later" in text
    assert "caught  own_departure_delay" in text


def test_a_leak_is_told_with_feature_flight_instant_and_values() -> None:
    # Given a feature that leaks / When the report is asked
    found = report(declared=LEAKY, planted=LEAKY)
    # Then it is told, and the command fails
    assert (
        "  leak: peek of UA-1-2013061900 was 1.0, and None when what is known from "
        "2013-06-19 00:00Z on differs (3 flights)"
    ) in found.lines()
    with pytest.raises(LeakError, match="know what comes: peek"):
        found.require_clean()


def test_a_prover_that_misses_a_planted_leak_proves_nothing() -> None:
    # Given no leak, and the planted one not caught / When the report is asked / Then it fails
    found = report(declared=CLEAN, planted=CLEAN)
    assert found.figures()["caught"] == 0
    assert any("MISSED  own_departure_delay" in line for line in found.lines())
    with pytest.raises(LeakError, match="not caught: own_departure_delay"):
        found.require_clean()
