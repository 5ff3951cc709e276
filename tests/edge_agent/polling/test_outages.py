"""Readings are lost only while a link is down, and none after that: counted.

On a clock on which time-outs and waits cost what they cost.
"""

from collections import Counter
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from jieneng.metering.errors import LinkDown, LinkError, NewLinkClosed, PeerError, ReplyError
from tests.edge_agent.agent_setup import EVEN
from tests.edge_agent.misbehaving import Question
from tests.edge_agent.polling.stepped_gateway import Answer, Bus

HOUR_S = 3600.0


def failing(
    error: Callable[[], LinkError | PeerError], when: Callable[[int, float], bool]
) -> Callable[[Question, float], Answer]:
    def answer(question: Question, now_s: float) -> Answer:
        return error() if when(question.unit, now_s) else question.reply(1)

    return answer


def down() -> LinkError:
    return LinkDown("it is down")


@pytest.mark.parametrize(
    ("units", "interval_s", "lasts_s"), [(8, 900.0, 60.0), (1, 3600.0, 45.0), (32, 900.0, 120.0)]
)
async def test_a_short_outage_costs_no_slow_meter_its_slot(
    units: int, interval_s: float, lasts_s: float
) -> None:
    """Whenever in the interval it comes: the bus is idle for the rest of it."""
    for begins_s in range(0, round(interval_s), round(interval_s / 30)):
        bus = Bus(
            failing(down, lambda _, now_s, at=begins_s: at <= now_s < at + lasts_s),  # type: ignore[misc]  # a lambda's default is not typed
            units=units,
            interval_s=interval_s,
        )
        await bus.run(2 * interval_s + 300)
        counts = [len(bus.of(unit)) for unit in range(1, units + 1)]
        assert min(counts) >= 2, (begins_s, counts)


async def test_a_lost_reply_is_asked_for_once_more_where_the_next_slot_is_far_away() -> None:
    lost = iter([False] * 3 + [True])  # the second poll of unit 1, of three questions each
    bus = Bus(
        lambda question, _: None if question.unit == 1 and next(lost, False) else question.reply(1),
        units=3,
        interval_s=900.0,
    )
    await bus.run(4 * 900.0)
    assert [len(bus.of(unit)) for unit in (1, 2, 3)] == [4, 4, 4]


async def test_a_gateway_that_hangs_up_for_dead_units_costs_the_others_nothing() -> None:
    """It closes the connection for each of four units that it does not reach; two are alive."""
    bus = Bus(
        failing(lambda: NewLinkClosed("hung up"), lambda unit, _: unit <= 4),
        units=6, interval_s=1.0, wire_s=0.01,
    )  # fmt: skip
    with capture_logs() as logs:
        await bus.run(60.0)
    events = Counter(str(one["event"]) for one in logs)
    assert "link is down" not in events
    assert events["meter does not answer as it should"] == 4
    assert min(len(bus.of(unit)) for unit in (5, 6)) >= 59


async def test_a_gateway_that_hangs_up_for_everybody_is_a_link_that_is_down() -> None:
    """Said once, and as one thing: not for each of its meters."""
    bus = Bus(
        failing(lambda: NewLinkClosed("hung up"), lambda _, now_s: 100 <= now_s < 400), units=6,
        interval_s=15.0,
    )  # fmt: skip
    with capture_logs() as logs:
        await bus.run(600.0)
    assert [one["event"] for one in logs] == ["link is down", "link is down: over"]
    assert min(len(bus.of(unit)) for unit in range(1, 7)) >= 18


async def test_a_unit_that_can_not_be_understood_is_asked_less_and_less() -> None:
    """Two devices of one number garble each other for good: that must not cost the others."""
    bus = Bus(
        failing(lambda: ReplyError("garbled"), lambda unit, now_s: unit == 1 and now_s < 1800),
        units=3,
        interval_s=15.0,
    )
    await bus.run(HOUR_S)
    garbled = [one for one in bus.gateway.asked[1] if one < 1800]
    assert 8 <= len(garbled) <= 20
    assert len(bus.of(1)) >= (HOUR_S - 1800 - 300) / 15 - 1, (
        "and as often as before when it is well"
    )
    assert min(len(bus.of(unit)) for unit in (2, 3)) >= 239


async def test_a_unit_that_was_silent_once_and_then_garbled_is_asked_less_and_less() -> None:
    """It was asked every 30 s for ever: the silence before was taken for one of just now."""
    bus = Bus(
        lambda question, _: None if question.nth == 1 else ReplyError("garbled"), interval_s=900.0
    )
    await bus.run(24 * HOUR_S)
    assert len(bus.gateway.questions) <= 97


async def test_what_was_read_before_the_link_went_down_is_not_read_once_more() -> None:
    """Two samples of one slot could have one time, and in a store the second takes the place of
    the first: after a reconnect it may say zero."""
    bus = Bus(
        lambda question, _: down() if question.nth % 5 == 2 else question.reply(question.nth),
        interval_s=15.0,
    )
    await bus.run(600.0)
    slots = [round(time_s // 15) for time_s in bus.times_s(1)]
    assert len(slots) == len(set(slots)) >= 39


async def test_registers_that_are_not_there_do_not_keep_the_slow_ones_due() -> None:
    """The meter refuses its voltages for good; its power is asked for in every sixth poll still."""
    voltage, power = 0x0061, 0x016A
    slow = [row.quantity for row in EVEN.point]
    slow.remove("energy_kwh")
    bus = Bus(
        lambda question, _: (
            question.refusal(2) if question.address == voltage else question.reply(1)
        ),
        every=dict.fromkeys(slow, 6),
    )
    await bus.run(1800.0)
    asked = Counter(question.address for question in bus.gateway.questions)
    assert len(bus.of(1)) >= 119
    assert 19 <= asked[power] <= 21


async def test_a_gateway_that_hangs_up_for_one_after_the_other_is_no_link_that_is_down() -> None:
    """Each of three has a bad minute, while the two others answer."""
    bus = Bus(
        failing(
            lambda: NewLinkClosed("hung up"),
            lambda unit, now_s: 300 * unit <= now_s < 300 * unit + 60,
        ),
        units=3,
    )
    with capture_logs() as logs:
        await bus.run(1500.0)
    assert "link is down" not in [one["event"] for one in logs]
