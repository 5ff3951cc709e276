"""A bus is polled fairly whatever its meters do, and each fault is logged once."""

import math
import random
import struct
import time
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from edge_agent.links.link import TcpLink
from edge_agent.polling.bus_poller import BusPoller
from edge_agent.polling.polled_meter import PolledMeter, PollResult
from edge_agent.polling.schedule import phase_s
from edge_agent.protocols.request_reply import Ask, Reply
from jieneng import observe
from jieneng.clock import SystemClock
from jieneng.metering.catalog.modbus_points import ModbusModel, modbus_models
from jieneng.metering.errors import LinkDown
from jieneng.metering.reading import Sample
from jieneng.metering.site import LinkKind
from jieneng.site_folder import packaged_models
from tests.edge_agent.agent_setup import EVEN, append_samples_to, meter, running, until
from tests.edge_agent.misbehaving import Act, Question, misbehaving
from tests.edge_agent.polling import stepped_gateway
from tests.servers import free_port

pytestmark = pytest.mark.server

ENERGY, VOLTAGE, POWER = 0x0000, 0x0061, 0x016A  # where the three reads of a DTSD1352 begin
kinds = pytest.mark.parametrize("kind", ["tcp", "rtu_tcp"])
Logs = list[MutableMapping[str, Any]]


class Bus:
    """A poller, and what it handed on."""

    def __init__(
        self,
        port: int,
        kind: LinkKind,
        units: range,
        interval_s: float,
        timeout_s: float,
        model: ModbusModel,
    ) -> None:
        clock = SystemClock()
        self.samples: list[Sample] = []
        self.poller = BusPoller(
            "b",
            [
                PolledMeter(
                    meter(f"m{unit}", "b", unit, interval_s=interval_s),
                    model,
                    ZoneInfo("Asia/Shanghai"),
                )
                for unit in units
            ],
            phase_key="agent",
            link=TcpLink(
                "127.0.0.1",
                port,
                timeout_s=timeout_s,
                now_ms=clock.now_ms,
            ),
            link_kind=kind,
            clock=clock,
            on_result=append_samples_to(self.samples),
            log=observe.log("test"),
        )

    def of(self, name: str) -> list[Sample]:
        return [sample for sample in self.samples if sample.meter == name]


@asynccontextmanager
async def polled(
    port: int,
    kind: LinkKind = "tcp",
    units: range = range(1, 2),
    interval_s: float = 0.1,
    timeout_s: float = 0.05,
    model: ModbusModel = EVEN,
) -> AsyncIterator[Bus]:
    one = Bus(port, kind, units, interval_s, timeout_s, model)
    async with running(one.poller.run()):
        yield one


def faults(logs: Logs) -> list[str]:
    return [str(one["event"]) for one in logs]


@kinds
async def test_a_dead_unit_costs_its_neighbours_nothing(kind: LinkKind) -> None:
    """One of four never answers: the others miss no slot, and it is asked less and less."""

    def behave(question: Question) -> Iterator[Act]:
        if question.unit != 3:
            yield question.reply(question.nth)

    async with misbehaving(behave, rtu=kind != "tcp") as server:
        with capture_logs() as logs:
            async with polled(server.port, kind, range(1, 5), interval_s=0.3) as bus:
                await until(lambda: len(bus.of("m1")) >= 8)
        counts = {unit: len(bus.of(f"m{unit}")) for unit in range(1, 5)}
        asked_dead = sum(question.unit == 3 for question in server.questions)
        assert server.most_open == 1
    assert counts[3] == 0
    assert min(counts[1], counts[2], counts[4]) >= 7
    assert asked_dead <= 5
    (said,) = logs
    assert said["event"] == "meter does not answer as it should"
    assert (said["meter"], said["unit"], said["bus"]) == ("m3", 3, "b")


async def test_a_meter_that_answers_in_part_is_asked_no_less() -> None:
    """Its counter is worth more than the time-out that its other registers cost."""

    def behave(question: Question) -> Iterator[Act]:
        if question.address == ENERGY:
            yield question.reply(question.nth)

    async with misbehaving(behave) as server, polled(server.port, interval_s=0.2) as bus:
        await until(lambda: len(bus.samples) >= 8)
    assert bus.poller.meter_states["m1"].silence_breaker.failures == 0


async def test_a_unit_that_comes_back_is_polled_as_before_and_said_once() -> None:
    dead = True

    def behave(question: Question) -> Iterator[Act]:
        if not dead:
            yield question.reply(question.nth)

    async with misbehaving(behave) as server:
        with capture_logs() as logs:
            async with polled(server.port) as bus:
                await until(lambda: bus.poller.counts.failed >= 3)
                dead = False
                await until(lambda: len(bus.samples) >= 3)
    event = "meter does not answer as it should"
    assert faults(logs) == [event, f"{event}: over"]


async def test_one_lost_reply_is_not_worth_a_word() -> None:
    def behave(question: Question) -> Iterator[Act]:
        if question.nth != 4:
            yield question.reply(question.nth)

    async with misbehaving(behave) as server:
        with capture_logs() as logs:
            async with polled(server.port) as bus:
                await until(lambda: len(bus.samples) >= 4)
    assert bus.poller.counts.failed == 1
    assert logs == []


async def test_a_link_that_is_down_is_said_once_and_blames_no_meter() -> None:
    def behave(question: Question) -> Iterator[Act]:
        yield question.reply(question.nth)

    port = free_port()
    with capture_logs() as logs:
        async with polled(port, units=range(1, 4)) as bus:
            await until(lambda: bus.poller.counts.failed >= 3)
            async with misbehaving(behave, port=port):
                await until(lambda: all(bus.of(f"m{unit}") for unit in (1, 2, 3)))
    assert faults(logs) == ["link is down", "link is down: over"]


async def test_a_gateway_that_another_master_has_blames_no_meter() -> None:
    """It takes one connection and closes every other at once, until the other master leaves."""
    taken = True

    def behave(question: Question) -> Iterator[Act]:
        yield None if taken else question.reply(question.nth)

    async with misbehaving(behave) as server:
        with capture_logs() as logs:
            async with polled(server.port, units=range(1, 4), timeout_s=1.0) as bus:
                await until(lambda: "link is down" in faults(logs))
                taken = False
                await until(lambda: all(bus.of(f"m{unit}") for unit in (1, 2, 3)))
    assert faults(logs) == ["link is down", "link is down: over"]


async def test_a_refused_read_costs_the_others_nothing_and_is_named() -> None:
    def behave(question: Question) -> Iterator[Act]:
        refused = question.address == VOLTAGE
        yield question.refusal(2) if refused else question.reply(question.nth)

    async with misbehaving(behave) as server:
        with capture_logs() as logs:
            async with polled(server.port) as bus:
                await until(lambda: len(bus.samples) >= 4)
    known = dict(zip(bus.samples[0].quantities, bus.samples[0].values, strict=True))
    assert math.isnan(known["voltage_a_v"])
    assert not math.isnan(known["energy_kwh"] + known["power_kw"])
    (said,) = logs
    assert (said["model"], said["function"]) == ("acrel-dtsd1352", 3)
    assert said["registers"] == "0x0061-0x0077"
    assert "exception 2" in said["reason"]


@kinds
async def test_after_a_silence_a_meter_is_asked_nothing_more_in_this_poll(kind: LinkKind) -> None:
    """Its late answer could be taken for the answer to its next question."""

    def behave(question: Question) -> Iterator[Act]:
        if question.address != VOLTAGE:
            yield question.reply(question.nth)

    async with misbehaving(behave, rtu=kind != "tcp") as server:
        async with polled(server.port, kind, interval_s=0.3) as bus:
            await until(lambda: len(bus.samples) >= 3)
        asked = [question.address for question in server.questions]
    assert POWER not in asked
    known = dict(zip(bus.samples[0].quantities, bus.samples[0].values, strict=True))
    assert not math.isnan(known["energy_kwh"])
    assert math.isnan(known["voltage_a_v"])
    assert math.isnan(known["power_kw"])


@kinds
async def test_no_value_of_another_meter_or_moment_gets_through(kind: LinkKind) -> None:
    """A gateway that mixes everything up: late, crossed, doubled, torn. Each meter's registers
    hold its own number, so a wrong one shows."""

    def behave(question: Question) -> Iterator[Act]:
        right = question.reply(question.unit * 1111)
        wrong = question.reply(7, unit=question.unit % 4 + 1)
        match random.Random(question.nth).randrange(9):  # always the same mixture
            case 0:
                yield 0.06
                yield right
            case 1:
                yield wrong
            case 2:
                yield question.reply(7, count=question.count + 1)
            case 3:
                yield question.reply(7, unit=question.unit, function=4) + right
            case 4:
                yield right[:5]
            case _:
                yield right

    async with (
        misbehaving(behave, rtu=kind != "tcp") as server,
        polled(server.port, kind, range(1, 5), interval_s=0.2) as bus,
    ):
        await until(lambda: len(bus.samples) >= 20)
    for sample in bus.samples:
        unit = int(sample.meter[1:])
        energy, voltage = (unit * 1111 * 65537) / 100, unit * 1111 / 10
        known = dict(zip(sample.quantities, sample.values, strict=True))
        assert known["energy_kwh"] == energy or math.isnan(known["energy_kwh"])
        assert known["voltage_a_v"] == voltage or math.isnan(known["voltage_a_v"])


def known(sample: Sample) -> dict[str, float]:
    """What it says, but for what is unknown."""
    pairs = zip(sample.quantities, sample.values, strict=True)
    return {quantity: value for quantity, value in pairs if not math.isnan(value)}


@kinds
async def test_an_answer_that_comes_whole_polls_late_is_no_other_registers(kind: LinkKind) -> None:
    """Energy and power are of one size: without numbers, nothing else tells them apart."""
    late: list[bytes] = []

    def behave(question: Question) -> Iterator[Act]:
        right = question.reply(1 if question.address == ENERGY else 7)
        if question.address == POWER and not late:
            late.append(right)
            return
        if question.address == ENERGY and len(late) == 1:
            late.append(b"")
            yield late[0]
            yield 0.01
        yield right

    async with (
        misbehaving(behave, rtu=kind != "tcp") as server,
        polled(server.port, kind, interval_s=0.3) as bus,
    ):
        await until(lambda: sum("power_kw" in known(sample) for sample in bus.samples) >= 2)
    assert {known(sample).get("energy_kwh", 655.37) for sample in bus.samples} == {655.37}


async def test_an_answer_in_place_of_the_next_one_is_no_other_registers() -> None:
    """A slow gateway without numbers: the next question gets the late answer, and none of its own
    in time. The power of one poll was believed to be the energy of the next."""
    late: list[bytes] = []

    def behave(question: Question) -> Iterator[Act]:
        right = question.reply(1 if question.address == ENERGY else 7)
        if question.address == POWER and not late:
            late.append(right)
            return
        if len(late) == 1:
            late.append(b"")
            yield late[0]
            return
        yield right

    async with (
        misbehaving(behave, rtu=True) as server,
        polled(server.port, "rtu_tcp", interval_s=0.3) as bus,
    ):
        await until(lambda: sum("power_kw" in known(sample) for sample in bus.samples) >= 2)
    assert {known(sample).get("energy_kwh", 655.37) for sample in bus.samples} == {655.37}
    asked = [question.address for question in server.questions]
    assert asked[3] == VOLTAGE, "its answer is of another size than the late one"
    assert asked[-3:] == [ENERGY, VOLTAGE, POWER]


@kinds
async def test_an_answer_that_comes_twice_is_no_other_registers(kind: LinkKind) -> None:
    """A radio bridge repeats itself, and from then on every answer is to the question before. Three
    reads of one size believe that; the fourth finds it out."""
    right = {0x0BB7: 12.5, 0x0BD3: 231.0, 0x0BF3: 8.6}
    polls = 0
    before = b""

    def behave(question: Question) -> Iterator[Act]:
        nonlocal polls, before
        value = struct.pack(">f", right.get(question.address, 0.0))
        reply = question.reply(data=value.ljust(2 * question.count, b"\0"))
        if question.address == 0x0BB7:
            polls += 1
        elif polls % 2:
            reply, before = before, reply
            yield reply
            return
        before = reply
        yield reply

    async with (
        misbehaving(behave, rtu=kind != "tcp") as server,
        polled(
            server.port,
            kind,
            interval_s=0.3,
            model=modbus_models(packaged_models())["schneider-iem3155"],
        ) as bus,
    ):
        await until(lambda: sum("energy_kwh" in known(sample) for sample in bus.samples) >= 2)
    for sample in bus.samples:
        said = known(sample)
        assert said.get("current_a_a", 12.5) == 12.5
        assert said.get("voltage_a_v", 231.0) == 231.0
        assert said.get("power_kw", 8.6) == pytest.approx(8.6)


async def test_polling_ends_within_a_question_and_closes_its_link() -> None:
    def behave(question: Question) -> Iterator[Act]:
        yield 60.0

    async with misbehaving(behave) as server:
        async with polled(server.port):
            await server.asked.wait()
        await until(lambda: not server.open)


async def test_all_buses_of_an_agent_are_polled_in_the_same_moment() -> None:
    """What a building takes is the sum of readings of one time."""
    one, other = (
        stepped_gateway.Bus(lambda question, _: question.reply(1), bus=name) for name in ("b", "c")
    )
    await one.run(60.0)
    await other.run(60.0)
    assert one.times_s(1) == other.times_s(1)


async def test_a_bus_of_a_later_wave_is_polled_a_wave_later() -> None:
    first, third = (
        stepped_gateway.Bus(lambda question, _: question.reply(1), start_group=wave)
        for wave in (0, 2)
    )
    await first.run(60.0)
    await third.run(60.0)
    later_s = [round(b - a, 3) for a, b in zip(first.times_s(1), third.times_s(1), strict=True)]
    assert later_s == [0.4] * 4


async def test_a_stall_of_the_agent_moves_no_slot() -> None:
    """A log that hung had the meter's next poll before the edge of its interval."""
    bus = stepped_gateway.Bus(lambda question, _: question.reply(1), units=2)
    kept = bus.poller._on_result

    def hang(poll: PollResult) -> None:
        kept(poll)
        bus.clock._now_ms += 700 if poll.meter.id == "m1" else 0

    bus.poller._on_result = hang
    await bus.run(60.0)
    faces_s = [(one.time_ms / 1000) % 15 for one in bus.samples]
    assert len(faces_s) == 8
    begin_s = phase_s("agent", 15.0)
    assert all(begin_s <= face_s < begin_s + 2 for face_s in faces_s)


# --- how polls went -----------------------------------------------------------------------------


async def test_a_busy_meter_is_asked_again_and_every_question_is_an_attempt() -> None:
    """Three reads of 50 ms; the second is refused twice, and asked again after 100 and 200 ms."""
    busy = {2, 3}

    def answer(question: Question, _: float) -> bytes:
        return question.refusal(6) if question.nth in busy else question.reply(1)

    bus = stepped_gateway.Bus(answer)
    await bus.run(30.0)
    first, *others = bus.polls(1)
    assert (first.ok, first.attempts, first.duration_ms) == (True, 5, 5 * 50 + 100 + 200)
    assert {(one.ok, one.attempts, one.duration_ms) for one in others} == {(True, 3, 3 * 50)}


async def test_a_poll_does_not_take_the_time_for_which_its_link_waits_for_anothers_answer() -> None:
    """m1 is dead, and the link listens for a second before it asks m2: the bus is busy, but m2 is
    as fast as ever."""

    def answer(question: Question, _: float) -> bytes | None:
        return question.reply(1) if question.unit == 2 else None

    bus = stepped_gateway.Bus(answer, units=2, listens=True)
    await bus.run(120.0)
    silent, healthy = bus.polls(1), bus.polls(2)
    assert {one.duration_ms for one in silent} == {1000}
    assert {one.duration_ms for one in healthy} == {3 * 50}
    busy_s = len(silent) * (1.0 + 1.0) + len(healthy) * 3 * 0.05
    assert bus.poller.counts.busy_s == pytest.approx(busy_s)


async def test_a_poll_takes_from_its_first_question_not_from_the_wish_for_a_link() -> None:
    """A connection without numbers is listened to for one time-out before it is used."""

    def behave(question: Question) -> Iterator[Act]:
        yield question.reply(1)

    timeout_s = 0.4
    async with misbehaving(behave, rtu=True) as server:
        bus = Bus(server.port, "rtu_tcp", range(1, 2), 0.1, timeout_s, EVEN)
        polls: list[tuple[float, PollResult]] = []
        bus.poller._on_result = lambda heard: polls.append((time.monotonic(), heard))
        began_s = time.monotonic()
        async with running(bus.poller.run()):
            await until(lambda: polls)
    ended_s, first = polls[0]
    assert first.duration_ms <= 1000 * (ended_s - began_s - timeout_s) + 1
    assert bus.poller.counts.busy_s >= timeout_s


async def test_a_poll_whose_question_never_left_takes_as_long_as_it_was_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bus = stepped_gateway.Bus(lambda *_: None)

    async def no_connection(_: Ask) -> Reply:
        await bus.clock.sleep(5.0)
        raise LinkDown("it can't be opened")

    monkeypatch.setattr(bus.gateway, "_exchange", no_connection)
    await bus.run(30.0)
    assert {(one.ok, one.duration_ms) for one in bus.polls(1)} == {(False, 5000)}
