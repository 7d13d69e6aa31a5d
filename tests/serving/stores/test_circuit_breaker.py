"""A circuit breaker opens on failures, with exponential back-off."""

from __future__ import annotations

from serving.stores.circuit_breaker import CircuitBreaker


def test_it_opens_for_a_pause_that_doubles_up_to_a_limit() -> None:
    # Given a breaker that is closed
    now = [0.0]
    breaker = CircuitBreaker(shortest_pause=1, longest_pause=3, clock=lambda: now[0])
    assert not breaker.is_open

    # When calls fail repeatedly, Then it is open for 1, 2, 3 and 3 seconds
    def open_seconds() -> int:
        breaker.on_failure()
        start = now[0]
        while breaker.is_open:
            now[0] += 1
        return round(now[0] - start)

    assert [open_seconds() for _ in range(4)] == [1, 2, 3, 3]
    # And after a success the first pause is the shortest again
    breaker.on_success()
    assert open_seconds() == 1


def test_the_next_call_can_be_allowed() -> None:
    breaker = CircuitBreaker(shortest_pause=1, longest_pause=3, clock=lambda: 5.0)
    breaker.on_failure()
    before = breaker.is_open
    breaker.allow_next()
    assert (before, breaker.is_open) == (True, False)
