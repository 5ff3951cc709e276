"""A reading's time is the moment of the reply that holds the counter, however long its poll lasts.

The end of the poll is nearly the same on a fast link: here each answer takes two seconds.
"""

from collections.abc import Callable

import pytest

from tests.edge_agent.misbehaving import Question
from tests.edge_agent.polling.stepped_gateway import Answer, Bus

WIRE_S, TIMEOUT_S = 2.0, 5.0
COUNTER = 0x0000  # DTSD1352: the address that the read of its counter begins at; two more follow


def replies(question: Question, _: float) -> Answer:
    return question.reply(1)


def silent_but_for_the_counter(question: Question, _: float) -> Answer:
    return question.reply(1) if question.address == COUNTER else None


def has_no_counter(question: Question, _: float) -> Answer:
    return question.refusal(2) if question.address == COUNTER else question.reply(1)


@pytest.mark.parametrize(
    ("answer", "stamped", "reads"),
    [(replies, 0, 3), (silent_but_for_the_counter, 0, 2), (has_no_counter, 2, 3)],
)
async def test_a_reading_is_of_the_moment_in_which_the_counter_was_told(
    answer: Callable[[Question, float], Answer], stamped: int, reads: int
) -> None:
    """Or the moment of the last reply, if the counter has none."""
    bus = Bus(answer, wire_s=WIRE_S, timeout_s=TIMEOUT_S)
    await bus.run(40.0)
    addresses = [one.address for one in bus.gateway.questions[:reads]]
    assert addresses[0] == COUNTER
    assert len(set(addresses)) == reads
    asked_s = bus.gateway.asked[1][:reads]
    assert bus.times_s(1)[0] == pytest.approx(asked_s[stamped] + WIRE_S, abs=0.001)


async def test_meters_that_take_long_are_each_stamped_with_their_own_reply() -> None:
    bus = Bus(replies, units=3, interval_s=60.0, wire_s=WIRE_S)
    await bus.run(200.0)
    for unit in (1, 2, 3):
        counters_s = bus.gateway.asked[unit][::3]
        times_s = bus.times_s(unit)
        assert len(times_s) >= 3
        for time_s, asked_s in zip(times_s, counters_s, strict=False):
            assert time_s == pytest.approx(asked_s + WIRE_S, abs=0.001)
