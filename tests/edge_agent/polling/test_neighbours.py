"""A silent unit is asked less and less often, and its neighbours keep their intervals: counted.

30 units of three reads behind one gateway, 15 s apart, 6 of them dead, a time-out of 1 s: an hour
on a clock on which time-outs cost their second too.
"""

from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.edge_agent.misbehaving import Question
from tests.edge_agent.polling.stepped_gateway import Answer, Bus

HOUR_S = 3600.0
INTERVAL_S = 15.0
DEAD = frozenset({3, 8, 13, 18, 23, 28})
LIVING = frozenset(range(1, 31)) - DEAD
listens = pytest.mark.parametrize("listens", [False, True], ids=["numbered", "unnumbered"])


def dying(when: Callable[[int, float], bool]) -> Callable[[Question, float], Answer]:
    def answer(question: Question, now_s: float) -> Answer:
        return None if when(question.unit, now_s) else question.reply(1)

    return answer


def missed(bus: Bus, of: frozenset[int], slots: int) -> float:
    """The share of polls that were not made."""
    return 1 - sum(min(len(bus.of(unit)), slots) for unit in of) / (slots * len(of))


def latest_s(bus: Bus, of: frozenset[int]) -> float:
    """The longest time between two polls of one meter."""
    return max(later - one for unit in of for one, later in pairwise(bus.times_s(unit)))


@listens
async def test_six_dead_units_of_thirty_cost_the_others_less_than_a_hundredth(
    listens: bool,
) -> None:
    bus = Bus(dying(lambda unit, _: unit in DEAD), units=30, listens=listens)
    await bus.run(HOUR_S)
    assert missed(bus, LIVING, 240) < 0.01
    assert latest_s(bus, LIVING) < 2 * INTERVAL_S
    assert max(len(bus.gateway.asked[unit]) for unit in DEAD) <= 20
    assert min(len(bus.gateway.asked[unit]) for unit in DEAD) >= 12, "none is given up"


@pytest.mark.server
@listens
async def test_six_units_that_die_at_once_cost_the_others_less_than_a_hundredth(
    listens: bool,
) -> None:
    """A branch of the bus is cut for half an hour, and repaired."""
    bus = Bus(
        dying(lambda unit, now_s: unit in DEAD and 600 <= now_s < 2400), units=30, listens=listens
    )
    await bus.run(HOUR_S)
    assert missed(bus, LIVING, 240) < 0.01
    for unit in DEAD:
        back_s = min(time_s for time_s in bus.times_s(unit) if time_s > 2400)
        assert back_s - 2400 <= 330, "a meter that was mended is seen within five minutes"
        assert sum(time_s > back_s for time_s in bus.times_s(unit)) >= (HOUR_S - back_s) / 15 - 2


@pytest.mark.server
@listens
async def test_units_that_come_and_go_cost_the_others_less_than_a_hundredth(listens: bool) -> None:
    """Each is there for a minute of every two, and never two of them at the same times."""
    bus = Bus(
        dying(lambda unit, now_s: unit in DEAD and (now_s + 17 * unit) % 120 < 60),
        units=30,
        listens=listens,
    )
    await bus.run(HOUR_S)
    assert missed(bus, LIVING, 240) < 0.01
    assert min(len(bus.of(unit)) for unit in DEAD) >= 60


@pytest.mark.parametrize("interval_s", [300.0, 900.0])
async def test_a_silent_meter_that_is_asked_rarely_loses_only_the_slots_of_its_outage(
    interval_s: float,
) -> None:
    """A breaker counts from the end of a time-out: that is always past the next slot."""
    bus = Bus(
        dying(lambda _, now_s: 1.5 * interval_s < now_s < 2.2 * interval_s), interval_s=interval_s
    )
    await bus.run(6 * interval_s)
    assert latest_s(bus, frozenset({1})) < 2.1 * interval_s


async def test_a_silent_meter_that_is_asked_rarely_is_asked_in_every_slot() -> None:
    bus = Bus(dying(lambda *_: True), interval_s=900.0)
    await bus.run(9 * 900.0)
    assert max(later - one for one, later in pairwise(bus.gateway.asked[1])) < 1.1 * 900


async def test_of_a_hundred_and_thirty_units_mostly_dead_the_others_are_polled() -> None:
    """thingsboard/thingsboard-gateway#1944: what is missed is the first round, in which nobody is
    known yet, and half of which the others wait for on average."""
    living = frozenset(range(1, 131, 5))
    bus = Bus(dying(lambda unit, _: unit not in living), units=130, wire_s=0.02, listens=True)
    await bus.run(HOUR_S)
    assert missed(bus, living, 240) < 0.05


async def test_a_time_out_as_long_as_the_interval_costs_less_than_a_hundredth() -> None:
    """It makes its neighbours late, but each slot of theirs is still to be had."""
    bus = Bus(dying(lambda unit, _: unit in DEAD), units=30, interval_s=1.0, wire_s=0.002)
    await bus.run(900)
    assert missed(bus, LIVING, 900) < 0.01
