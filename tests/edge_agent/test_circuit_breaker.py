"""A silent meter is asked less and less often, but never given up."""

from itertools import pairwise

from edge_agent.circuit_breaker import CircuitBreaker


def times(breaker: CircuitBreaker, until_s: float, interval_s: float) -> list[float]:
    """When a meter that never answers is asked."""
    found, now_s = [], 0.0
    while now_s < until_s:
        found.append(now_s)
        breaker.record_failure(now_s)
        now_s = max(now_s + interval_s, breaker.not_before_s)
    return found


def test_one_lost_reply_is_noise() -> None:
    breaker = CircuitBreaker(10.0)
    breaker.record_failure(0.0)
    assert breaker.not_before_s <= 0
    breaker.record_failure(10.0)
    assert breaker.not_before_s > 10.0


def test_questions_double_up_to_five_minutes() -> None:
    asked = times(CircuitBreaker(15.0), 3600.0, 15.0)
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert gaps[:6] == [15.0, 15.0, 30.0, 60.0, 120.0, 240.0]
    assert set(gaps[6:]) == {300.0}


def test_a_meter_that_is_asked_rarely_is_asked_no_less() -> None:
    gaps = {
        later - earlier for earlier, later in pairwise(times(CircuitBreaker(900.0), 9000.0, 900.0))
    }
    assert gaps == {900.0}


def test_the_first_answer_makes_all_as_before() -> None:
    breaker = CircuitBreaker(10.0)
    for now_s in range(0, 100, 10):
        breaker.record_failure(float(now_s))
    breaker.record_success()
    breaker.record_failure(200.0)
    assert breaker.not_before_s <= 200.0


def test_years_of_silence_do_not_overflow() -> None:
    breaker = CircuitBreaker(10.0)
    for _ in range(100_000):
        breaker.record_failure(0.0)
    assert breaker.not_before_s == 300.0
