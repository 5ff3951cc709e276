"""Refusals are distinguished: a busy meter is asked again, missing registers are not."""

import math
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from jieneng.metering.errors import DeviceRefused, IdleLinkClosed, LinkDown
from jieneng.metering.reading import Sample
from tests.edge_agent.agent_setup import until
from tests.edge_agent.misbehaving import Act, Question, misbehaving
from tests.edge_agent.polling.stepped_gateway import Answer, Bus
from tests.edge_agent.polling.test_bus_poller import polled

ENERGY, VOLTAGE, POWER = 0x0000, 0x0061, 0x016A  # where the three reads of a DTSD1352 begin
BUSY, ACKNOWLEDGE, ILLEGAL_ADDRESS, NO_PATH, NO_RESPONSE = 6, 5, 2, 10, 11
Logs = list[MutableMapping[str, Any]]
codes = pytest.mark.parametrize("code", [ACKNOWLEDGE, BUSY])


def known(sample: Sample) -> set[str]:
    return {
        name
        for name, value in zip(sample.quantities, sample.values, strict=True)
        if not math.isnan(value)
    }


@codes
async def test_a_meter_that_is_busy_is_asked_again_in_the_same_poll(code: int) -> None:
    def answer(question: Question, _: float) -> Answer:
        return DeviceRefused(code) if question.nth % 4 == 1 else question.reply(1)

    bus = Bus(answer)
    await bus.run(150)
    assert len(bus.samples) == 10
    assert all(len(known(sample)) == len(sample.quantities) for sample in bus.samples)
    assert (bus.poller.counts.ok, bus.poller.counts.failed) == (10, 0)


@codes
async def test_a_meter_that_stays_busy_is_asked_twice_more_a_poll(code: int) -> None:
    """And each of its neighbours has its poll all the same, with every meter of them busy."""
    bus = Bus(lambda _question, _now_s: DeviceRefused(code), units=30, wire_s=0.02)
    await bus.run(150)
    polls = bus.poller.counts.failed
    assert 290 <= polls <= 300, "the last round is not over"
    # Two pauses are 0.3 s; the share of one of 30 in 15 s is 0.5 s. Three reads, two more tries.
    assert len(bus.gateway.questions) <= 5 * (polls + 1)
    assert bus.samples == []


async def test_there_is_no_pause_for_a_busy_meter_where_the_bus_has_no_time_for_one() -> None:
    def answer(question: Question, _: float) -> Answer:
        return DeviceRefused(BUSY) if question.unit == 1 else question.reply(1)

    bus = Bus(answer, units=20, interval_s=1.0, wire_s=0.005)
    await bus.run(60)
    assert min(len(bus.of(unit)) for unit in range(2, 21)) >= 59


async def test_registers_that_are_not_there_are_said_once_and_asked_for_no_more() -> None:
    """The meter's other registers go on, and once an hour it is asked again."""

    def answer(question: Question, _: float) -> Answer:
        there = question.address != VOLTAGE
        return question.reply(1) if there else DeviceRefused(ILLEGAL_ADDRESS)

    bus = Bus(answer)
    with capture_logs() as logs:
        await bus.run(86_400)
    asked = sum(question.address == VOLTAGE for question in bus.gateway.questions)
    assert 24 <= asked <= 3 + 6 + 24, (
        "at first after a minute, then after twice as long, to an hour"
    )
    assert len(bus.samples) == 5760
    assert "voltage_a_v" not in set().union(*map(known, bus.samples))
    assert {"energy_kwh", "power_kw"} <= known(bus.samples[-1])
    (said,) = logs
    assert (said["meter"], said["model"], said["unit"]) == ("m1", "acrel-dtsd1352", 1)
    assert (said["function"], said["registers"]) == (3, "0x0061-0x0077")
    assert "check its model and unit" in said["event"]
    assert bus.poller.counts.ok == 0, "a poll in which something is not asked for is not whole"


@pytest.mark.parametrize("code", [1, 2, 3])
async def test_a_gateway_that_starts_up_stops_nothing_for_good(code: int) -> None:
    """For a minute it refuses everything: a minute later all is read again."""

    def answer(question: Question, now_s: float) -> Answer:
        return DeviceRefused(code) if 300 <= now_s < 360 else question.reply(1)

    bus = Bus(answer, units=3)
    with capture_logs() as logs:
        await bus.run(900)
    for unit in (1, 2, 3):
        whole = [one for one in bus.of(unit) if len(known(one)) == len(one.quantities)]
        assert len(whole) >= 60 - 10
    assert len([one for one in logs if one["event"].endswith(": over")]) == len(logs) / 2


async def test_one_refusal_among_many_answers_stops_nothing() -> None:
    def answer(question: Question, _: float) -> Answer:
        refused = question.address == VOLTAGE and question.nth % 3 == 0 and question.nth % 9
        return DeviceRefused(ILLEGAL_ADDRESS) if refused else question.reply(1)

    bus = Bus(answer)
    with capture_logs() as logs:
        await bus.run(900)
    assert logs == []
    assert sum(question.address == VOLTAGE for question in bus.gateway.questions) == 60


async def test_a_meter_whose_registers_are_all_refused_says_nothing_of_the_link() -> None:
    """It is not asked for anything: a link that is down meanwhile stays down."""
    down = LinkDown("b can't be opened: {error}", error="no route")

    def answer(question: Question, now_s: float) -> Answer:
        if now_s > 600:
            return down
        return DeviceRefused(ILLEGAL_ADDRESS) if question.unit == 1 else question.reply(1)

    bus = Bus(answer, units=2)
    with capture_logs() as logs:
        await bus.run(1800)
    assert [one["event"] for one in logs].count("link is down") == 1
    assert "link is down: over" not in [one["event"] for one in logs]


@pytest.mark.parametrize("code", [NO_PATH, NO_RESPONSE])
async def test_a_unit_that_the_gateway_does_not_reach_is_asked_less_and_less(code: int) -> None:
    def answer(question: Question, _: float) -> Answer:
        return DeviceRefused(code) if question.unit == 2 else question.reply(1)

    bus = Bus(answer, units=2)
    await bus.run(3600)
    assert len(bus.of(1)) == 240
    assert len(bus.gateway.asked[2]) <= 20


async def test_a_connection_that_was_closed_while_idle_costs_no_poll() -> None:
    """A gateway closes what has been idle for ten seconds, as the next question finds out."""
    used_s = [0.0]

    def answer(question: Question, now_s: float) -> Answer:
        idle_s, used_s[0] = now_s - used_s[0], now_s
        return IdleLinkClosed("closed") if idle_s > 10 else question.reply(1)

    bus = Bus(answer)
    with capture_logs() as logs:
        await bus.run(600)
    assert len(bus.samples) == 40
    assert (bus.poller.counts.ok, bus.poller.counts.failed) == (40, 0)
    assert logs == []


async def test_a_gateway_that_always_hangs_up_is_asked_once_more_and_no_more() -> None:
    bus = Bus(lambda _question, _now_s: IdleLinkClosed("closed"))
    await bus.run(15)
    assert len(bus.gateway.questions) == 2


@pytest.mark.server
async def test_a_real_gateway_that_closes_idle_connections_costs_no_poll() -> None:
    """It does so when the next question is on its way: the worst moment of all."""
    refused: set[int] = set()

    def behave(question: Question) -> Iterator[Act]:
        first = question.address == ENERGY and question.nth > 1 and question.nth not in refused
        if first and question.nth - 1 not in refused:
            refused.add(question.nth)
            yield None
        else:
            yield question.reply(question.nth)

    async with misbehaving(behave) as server, polled(server.port, timeout_s=2.0) as bus:
        await until(lambda: len(bus.samples) >= 8)
        assert server.most_open == 1
        assert len(refused) >= 7
        assert bus.poller.counts.failed == 0
