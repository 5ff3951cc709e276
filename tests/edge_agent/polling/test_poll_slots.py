"""When UTC goes back, no reading gets an earlier stamp, and slots are soon at their phase again."""

import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from edge_agent import app
from edge_agent.polling.bus_poller import BusPoller
from edge_agent.polling.poll_slots import PollSlots
from edge_agent.polling.schedule import phase_s
from jieneng.clock import SystemClock
from tests.edge_agent.agent_setup import bus, folder, meter, running, until
from tests.edge_agent.agent_setup import settings as agent_settings
from tests.edge_agent.polling.stepped_gateway import BEGIN_MS, Bus
from tests.servers import free_port
from tests.stepped_clock import SteppedClock

UNITS = 4


class JumpingClock(SteppedClock):
    """Its UTC is set by somebody who does not know what time it is."""

    def __init__(self, jumps: list[tuple[float, int]]) -> None:
        super().__init__(BEGIN_MS, sleepers=1)
        self.set_by_ms = 0
        self._jumps = jumps

    def now_ms(self) -> int:
        by_ms = sum(by_ms for at_s, by_ms in self._jumps if at_s <= self.monotonic())
        return super().now_ms() + self.set_by_ms + by_ms


class JumpingBus(Bus):
    """A bus whose clock jumps: [(after a number of polls, by ms)].

    Or while it sleeps: [(at s, by ms)].
    """

    def __init__(
        self,
        jumps: list[tuple[int, int]],
        interval_s: float = 1.0,
        units: int = UNITS,
        asleep: list[tuple[float, int]] | None = None,
    ) -> None:
        clock = JumpingClock(asleep or [])
        super().__init__(
            lambda question, _: question.reply(1),
            units=units,
            interval_s=interval_s,
            wire_s=0.004,
            clock=clock,
        )
        keep, self.ended = self.poller._on_result, 0

        def kept(poll: object) -> None:
            keep(poll)  # type: ignore[arg-type]
            self.ended += 1
            clock.set_by_ms += sum(by_ms for after, by_ms in jumps if after == self.ended)

        self.poller._on_result = kept

    def doubled(self) -> int:
        """Readings that others take the place of in the store."""
        return len(self.samples) - len({(one.meter, one.time_ms) for one in self.samples})

    def gaps_s(self) -> list[float]:
        """From the beginning of a poll to that of the next, of each meter."""
        asked = [self.gateway.asked[unit][::3] for unit in range(1, UNITS + 1)]  # three questions
        return [later - earlier for one in asked for earlier, later in pairwise(one)]


@pytest.mark.parametrize("within", range(UNITS))
@pytest.mark.parametrize("back_s", [20, 7, 1])
async def test_no_reading_has_the_stamp_of_one_before_the_clock_went_back(
    back_s: int, within: int
) -> None:
    """Whenever that is in a round of meters; by whole intervals, so that all slots come again."""
    bus = JumpingBus([(30 * UNITS + within, -1000 * back_s)])
    await bus.run(90.0)
    assert bus.doubled() == 0
    assert len(bus.samples) >= 88 * UNITS


async def test_one_that_goes_back_while_nobody_asks_is_seen_before_the_next_question() -> None:
    bus = JumpingBus([], asleep=[(30.5, -20_000), (40.7, -7000)])
    await bus.run(90.0)
    assert bus.doubled() == 0
    assert len(bus.samples) >= 87 * UNITS


async def test_one_that_goes_ahead_costs_no_slot() -> None:
    """What was planned is asked when it was planned: the next slot may be a day away."""
    bus = JumpingBus([], interval_s=60.0, asleep=[(630.0, 5000)])
    await bus.run(1800.0)
    assert max(bus.gaps_s()) < 60.1
    assert len(bus.samples) >= 29 * UNITS


async def test_one_that_goes_back_again_and_again_finds_other_places_each_time() -> None:
    jumps = [(30 * UNITS, -20_000), (40 * UNITS, -10_000), (45 * UNITS, -12_000)]
    bus = JumpingBus(jumps)
    await bus.run(120.0)
    assert bus.doubled() == 0


@pytest.mark.parametrize("interval_s", [0.5, 1.0, 10.0])
@pytest.mark.parametrize("seed", range(12))
async def test_whatever_the_jumps_no_stamp_is_given_twice(seed: int, interval_s: float) -> None:
    """Back by whole intervals and by others, and forth; and nobody waits for long."""
    chance = random.Random(seed)
    unit_ms = round(1000 * interval_s)
    jumps = []
    for after in chance.sample(range(5, 70, 5), chance.randint(1, 6)):
        back_ms = chance.choice([unit_ms * chance.randint(1, 30), chance.randint(1, 30 * unit_ms)])
        by_ms = chance.choice([-back_ms, -back_ms, chance.randint(1, 30 * unit_ms)])
        jumps.append((after * UNITS + chance.randrange(UNITS), by_ms))
    bus = JumpingBus(jumps, interval_s)
    await bus.run(100 * interval_s)
    assert bus.doubled() == 0
    gaps_s = bus.gaps_s()
    assert max(gaps_s) <= 3.5 * interval_s + 0.1
    assert min(gaps_s) >= 0.5 * interval_s - 0.1


async def test_a_reload_knows_where_the_one_before_it_polled() -> None:
    first = JumpingBus([(30 * UNITS, -20_000)])
    await first.run(32.0)
    then = Bus(lambda question, _: question.reply(1), units=UNITS, interval_s=1.0, before=first,
               wire_s=0.004)  # fmt: skip
    await then.run(60.0)
    first.samples += then.samples
    assert first.doubled() == 0
    assert len(first.samples) >= 57 * UNITS


async def test_past_what_it_showed_before_the_face_is_as_it_was() -> None:
    bus = JumpingBus([(30 * UNITS, -20_000)])
    await bus.run(90.0)
    place_s = phase_s("agent", 1.0)
    off_s = [abs((one.time_ms / 1000 - place_s) % 1.0) for one in bus.of(1)]
    assert all(one < 0.05 for one in off_s[:29])
    assert not any(one < 0.05 for one in off_s[31:49])
    assert all(one < 0.05 for one in off_s[52:])


@pytest.mark.parametrize("back_ms", [1, 40, 500, 5000])
@pytest.mark.parametrize("units", [1, UNITS])
async def test_a_small_step_back_between_two_rounds_moves_no_poll(back_ms: int, units: int) -> None:
    """The interval in which it falls comes again, and is of no use any more: it was polled in."""
    interval_s = 60.0
    bus = JumpingBus([(10 * units, -back_ms)], interval_s, units)
    await bus.run(30 * interval_s)
    place_s = phase_s("agent", interval_s)
    assert all((one.time_ms / 1000 - place_s) % interval_s < 0.1 for one in bus.samples)
    assert len(bus.samples) >= 29 * units
    assert bus.doubled() == 0


@pytest.mark.parametrize(("within", "back_ms"), [(1, 500), (1, 5000), (3, 20)])
async def test_one_within_a_round_puts_the_rest_of_it_off_and_not_to_the_next(
    within: int, back_ms: int
) -> None:
    interval_s = 60.0
    bus = JumpingBus([(10 * UNITS + within, -back_ms)], interval_s)
    await bus.run(30 * interval_s)
    assert bus.doubled() == 0
    assert max(bus.gaps_s()) < 1.63 * interval_s + back_ms / 1000


async def test_a_clock_that_was_far_ahead_leaves_no_trace_when_it_is_set_right() -> None:
    """What it never showed between the two is as new as before."""
    month_ms = 30 * 86_400_000
    bus = JumpingBus([(30 * UNITS, month_ms), (60 * UNITS, -month_ms)])
    await bus.run(90.0)
    place_s = phase_s("agent", 1.0)
    off_s = [(one.time_ms / 1000 - place_s) % 1.0 for one in bus.of(1)]
    assert sum(one < 0.05 for one in off_s) >= len(off_s) - 3
    assert bus.doubled() == 0


def test_the_places_of_a_hundred_returns_are_apart() -> None:
    slots, places = PollSlots(BEGIN_MS, 0.0), []
    for turn in range(1, 101):
        number, due_s = slots.next_slot(100.0, BEGIN_MS / 1000, 0.0, 1.0)
        places.append((due_s + BEGIN_MS / 1000) % 1.0)
        assert number in (BEGIN_MS // 1000 + 100, BEGIN_MS // 1000 + 101)
        slots.update(BEGIN_MS + 200_000, 200.0 * turn)
        assert slots.update(BEGIN_MS, 200.0 * turn) == turn
    places.sort()
    assert min(b - a for a, b in pairwise(places)) > 0.003


def test_what_is_remembered_has_a_bound() -> None:
    """A clock that two services fight for goes back every few seconds, for years."""
    slots = PollSlots(BEGIN_MS, 0.0)
    for second in range(10_000):
        slots.update(BEGIN_MS + second * 100, float(second))
        slots.update(BEGIN_MS + second * 100 - 50, float(second))
    assert len(slots._past_spans) <= 100


async def test_all_buses_of_an_agent_look_at_one_face(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a bus that a reload creates knows the earlier times of the clock."""
    faces = []

    class Seen(BusPoller):
        def __init__(self, *rest: Any, slots: PollSlots | None = None, **more: Any) -> None:
            faces.append(slots)
            super().__init__(*rest, slots=slots, **more)

    monkeypatch.setattr("edge_agent.app.BusPoller", Seen)
    buses = [bus("a", free_port()), bus("b", free_port())]
    where = folder(tmp_path, *buses, meters=[meter("e-a", "a", 1), meter("e-b", "b", 1)])
    async with running(app.run(where, agent_settings(free_port()), SystemClock())):
        await until(lambda: len(faces) == 2)
    assert faces[0] is not None
    assert faces[0] is faces[1]
