"""A gateway slower than the time-out of its bus is waited for: an hour of each, simulated."""

import random

import pytest

from edge_agent.links.reply_timeout import ReplyTimeout
from tests.edge_agent.links.simulated_gateway import Answer, SimulatedGateway, poll_for
from tests.edge_agent.misbehaving import Question
from tests.simulated_loop import run_simulated

HOUR_S = 3600.0
TIMEOUT_S = 1.0
READS = 3  # requests of a poll
one_at_a_time = pytest.mark.parametrize("one_at_a_time", [True, False], ids=["queued", "at once"])


@one_at_a_time
@pytest.mark.parametrize("units", [1, 30, 247])
@pytest.mark.parametrize("late", [1.2, 1.8, 2.5, 4.0])
def test_a_gateway_that_answers_everything_too_late_is_read(
    late: float, units: int, one_at_a_time: bool
) -> None:
    """One late reply teaches a wait that also covers the next, slightly later one."""
    chance = random.Random(1)

    def answer(question: Question) -> Answer:
        return late * TIMEOUT_S + chance.uniform(0, 0.1), question.reply(7)

    gateway = SimulatedGateway(answer, timeout_s=TIMEOUT_S, one_at_a_time=one_at_a_time)
    polls = run_simulated(poll_for(HOUR_S, gateway, units=units, interval_s=60.0))
    possible = min(units * HOUR_S / 60.0, HOUR_S / (READS * (late * TIMEOUT_S + 0.1)))
    assert sum(poll.ok for poll in polls) > 0.85 * possible
    assert gateway.connections <= 2


def test_a_silent_meter_behind_a_prompt_gateway_costs_its_neighbours_one_time_out() -> None:
    """The bus-time budget counts on one time-out for each silent meter."""

    def answer(question: Question) -> Answer:
        return 0.05, None if question.unit == 2 else question.reply(7)

    gateway = SimulatedGateway(answer, timeout_s=TIMEOUT_S, one_at_a_time=False)
    polls = run_simulated(poll_for(HOUR_S, gateway, units=3))
    silent = [poll.duration_ms for poll in polls if poll.meter.id == "m2"]
    assert len(silent) > 10
    assert set(silent) == {round(1000 * TIMEOUT_S)}


def test_a_gateway_without_a_word_is_given_up_after_three_requests() -> None:
    """Its late replies might still show how long it takes, so the third waits longest."""
    gateway = SimulatedGateway(lambda _: (0.05, None), timeout_s=TIMEOUT_S, one_at_a_time=False)
    polls = run_simulated(poll_for(60.0, gateway, units=30))
    durations_s = [poll.duration_ms / 1000 for poll in polls]
    assert durations_s[:6] == [1.0, 1.0, 5.0, 1.0, 1.0, 5.0]
    assert gateway.connections == -(-len(gateway.asked) // 3)


def test_the_wait_has_a_margin_and_a_bound_and_is_forgotten() -> None:
    reply_timeout = ReplyTimeout(TIMEOUT_S)
    reply_timeout.late_reply(1.8)
    assert 1.2 * 1.8 < reply_timeout.wait_s < 1.5 * 1.8
    reply_timeout.late_reply(60.0)
    assert reply_timeout.wait_s == reply_timeout.longest_s == 5 * TIMEOUT_S
    for _ in range(23):
        reply_timeout.no_reply()
    assert 0.45 < reply_timeout.wait_s / reply_timeout.longest_s < 0.5
    for _ in range(100):
        reply_timeout.no_reply()
    assert reply_timeout.wait_s == TIMEOUT_S
