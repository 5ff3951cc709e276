"""Slots lie near the whole intervals of UTC, and no meter is polled twice in one."""

import hashlib
import math
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.polling.schedule import RETRY_S, Schedule, phase_s

CLOCK_OFFSET_S = 1_795_000_000.0
names = st.text(min_size=1, max_size=12)
intervals = st.sampled_from([0.1, 1.0, 10.0, 60.0, 900.0, 86400.0])


def begun(meters: Iterable[tuple[str, float]]) -> Schedule:
    return Schedule(meters, phase_key="bus-1", clock_offset_s=lambda: CLOCK_OFFSET_S, now_s=0.0)


def off_phase_s(utc_s: float, interval_s: float) -> float:
    """Distance from the phase in the interval of UTC [s]."""
    offset_s = (utc_s - phase_s("bus-1", interval_s)) % interval_s
    return min(offset_s, interval_s - offset_s)


def test_the_phase_is_the_same_on_every_machine_and_in_every_run() -> None:
    assert phase_s("e-main", 10.0) == 0.6120683164738706


@given(names, intervals)
def test_the_phase_is_in_the_first_tenth(name: str, interval_s: float) -> None:
    assert 0 <= phase_s(name, interval_s) < min(interval_s / 10, 30)


@given(names, intervals, st.integers(0, 100))
def test_waves_are_a_fifth_of_a_second_apart_and_all_within_the_interval(
    name: str, interval_s: float, start_group: int
) -> None:
    later_s = phase_s(name, interval_s, start_group) - phase_s(name, interval_s)
    assert math.isclose(later_s, min(0.2 * start_group, 0.8 * interval_s), abs_tol=1e-9)
    assert phase_s(name, interval_s, start_group) < 0.9 * interval_s
    schedule = Schedule(
        [("m", interval_s)],
        phase_key=name,
        start_group=start_group,
        clock_offset_s=lambda: CLOCK_OFFSET_S,
        now_s=0.0,
    )
    offset_s = (CLOCK_OFFSET_S + schedule.next(0.0)[1].due_s) % interval_s
    assert math.isclose(
        offset_s, phase_s(name, interval_s, start_group), abs_tol=1e-6 * interval_s + 1e-5
    )


def test_phases_spread_a_fleet() -> None:
    phases = [phase_s(f"e-{number}", 10.0) for number in range(1000)]
    in_tenths = [sum(int(phase * 10) == tenth for phase in phases) for tenth in range(10)]
    assert min(in_tenths) > 60


@given(
    st.dictionaries(names, intervals, min_size=1, max_size=5),
    st.lists(st.floats(0, 0.4), min_size=20, max_size=60),
)
def test_every_slot_is_asked_once_by_a_bus_that_keeps_up(
    meters: dict[str, float], delays: list[float]
) -> None:
    """Delays are in shares of the shortest interval."""
    shortest = min(meters.values())
    schedule = begun(meters.items())
    now_s = 0.0
    last: dict[str, float] = {}
    for delay in delays:
        meter, slot = schedule.next(now_s)
        assert slot.due_s >= now_s - shortest * 0.4 * len(meters) - 1e-6
        now_s = max(now_s, slot.due_s)
        utc_s = CLOCK_OFFSET_S + slot.due_s
        interval_s = meters[meter]
        assert off_phase_s(utc_s, interval_s) < 1e-6 * interval_s
        if meter in last:
            assert math.isclose(slot.due_s - last[meter], interval_s, abs_tol=1e-5)
        last[meter] = slot.due_s
        now_s += delay * shortest / len(meters)
        schedule.reschedule(now_s)


def test_missed_slots_are_skipped() -> None:
    schedule = begun([("m", 10.0)])
    first = schedule.next(0.0)[1].due_s
    slot = schedule.reschedule(first + 34)
    assert math.isclose(slot.due_s, first + 40, abs_tol=1e-5)


@pytest.mark.parametrize(("moment_s", "next_s"), [(11, 10), (19, 20), (24, 20), (26, 30)])
def test_slots_before_the_one_nearest_to_a_given_moment_are_passed_over(
    moment_s: float, next_s: float
) -> None:
    schedule = begun([("m", 10.0)])
    first = schedule.next(0.0)[1].due_s
    slot = schedule.reschedule(first, not_before_s=first + moment_s)
    assert math.isclose(slot.due_s, first + next_s, abs_tol=1e-5)


@given(
    st.floats(-1e6, 1e6), st.sampled_from([1.0, 10.0, 900.0]), st.integers(1, 4), st.integers(0, 8)
)
def test_a_jump_of_the_clock_neither_stops_nor_doubles(
    jump_s: float, interval_s: float, count: int, after: int
) -> None:
    """Whenever it comes within a round of meters that are asked one after the other."""
    clock_offset_s = CLOCK_OFFSET_S
    meters = [(f"m{number}", interval_s) for number in range(count)]
    schedule = Schedule(meters, phase_key="bus-1", clock_offset_s=lambda: clock_offset_s, now_s=0.0)
    now_s = 0.0
    last: dict[str, float] = {}
    for number in range(20):
        if number == after:
            clock_offset_s += jump_s
        meter, slot = schedule.next(now_s)
        now_s = max(now_s, slot.due_s)
        before_s = last.get(meter, slot.due_s - interval_s)
        assert 0.5 * interval_s - 1e-3 <= slot.due_s - before_s <= 1.5 * interval_s + 1e-3
        last[meter] = slot.due_s
        now_s += 0.01 * interval_s
        schedule.reschedule(now_s)
    assert off_phase_s(CLOCK_OFFSET_S + slot.due_s + jump_s, interval_s) < 1e-6 * interval_s + 1e-3


def test_after_a_stall_the_meters_of_a_bus_are_asked_in_one_order_again() -> None:
    """UTC comes in whole milliseconds: late meters must not find one slot each for themselves."""
    now_s = 0.0

    def clock_offset_s() -> float:
        return math.floor(1000 * (now_s + CLOCK_OFFSET_S + 0.0004)) / 1000 - now_s

    meters = [(f"m{number}", 10.0) for number in range(12)]
    schedule = Schedule(meters, phase_key="bus-1", clock_offset_s=clock_offset_s, now_s=now_s)
    rounds: dict[int, list[str]] = defaultdict(list)
    for number in range(12 * 10):
        meter, slot = schedule.next(now_s)
        now_s = max(now_s, slot.due_s) + 0.0313
        rounds[slot.number].append(meter)
        if number == 16:
            now_s += 33.0
        schedule.reschedule(now_s)
    first, stalled, half, *later = rounds.values()
    assert sorted(stalled) != sorted(first) or sorted(half) != sorted(first)
    assert all(asked == first for asked in later[:-1])


def _hash(meter: str) -> bytes:
    return hashlib.blake2b(meter.encode(), digest_size=8).digest()


class _ScheduleWithoutRounds:
    """The laws without rounds: every meter has its own slot, and all are compared each time."""

    def __init__(self, meters: Mapping[str, float]) -> None:
        self.meters = {meter: meters[meter] for meter in sorted(meters, key=_hash)}
        self.slots = {meter: self.slot(meter, 0.0) for meter in self.meters}
        self.unresponsive = set(self.meters)
        self.times_skipped = 0

    def slot(self, meter: str, after_s: float) -> tuple[float, float, int]:
        interval_s = self.meters[meter]
        offset_s = CLOCK_OFFSET_S - phase_s("bus-1", interval_s)
        number = int((after_s + offset_s) // interval_s) + 1
        due_s = number * interval_s - offset_s
        return due_s, due_s + interval_s, number

    def first(self, meters: Iterable[str], now_s: float) -> str | None:
        due = [meter for meter in meters if self.slots[meter][0] <= now_s]
        if due:
            return min(due, key=lambda meter: self.slots[meter][1::-1])
        return min(meters, key=lambda meter: self.slots[meter][0], default=None)

    def next(self, now_s: float) -> tuple[str, int]:
        responsive = self.first([one for one in self.meters if one not in self.unresponsive], now_s)
        unresponsive = self.first([one for one in self.meters if one in self.unresponsive], now_s)
        goes_first, self.skips = unresponsive or responsive or "", False
        if responsive and unresponsive and self.times_skipped < len(self.meters):
            due_s = self.slots[unresponsive][0]
            if self.slots[responsive][0] <= max(now_s, due_s):
                goes_first, self.skips = responsive, due_s <= now_s
        self.now = goes_first
        return goes_first, self.slots[goes_first][2]

    def reschedule(self, now_s: float, not_before_s: float, failures: int) -> None:
        self.times_skipped = self.times_skipped + 1 if self.skips else 0
        _, ends_s, number = self.slots[self.now]
        after_s = ends_s - self.meters[self.now] / 2
        after_s = max(after_s, now_s, not_before_s - self.meters[self.now] / 2)
        due_s, end_s, following = self.slot(self.now, after_s)
        if failures == 1 and due_s - now_s >= 2 * RETRY_S:
            due_s, end_s, following = now_s + RETRY_S, due_s, number
        self.slots[self.now] = (due_s, end_s, following)
        (self.unresponsive.add if failures else self.unresponsive.discard)(self.now)


@given(st.integers(0, 2**32))
def test_rounds_ask_in_the_order_in_which_slots_of_each_meter_would(seed: int) -> None:
    """Whatever takes how long, fails, and is held back."""
    chance = random.Random(seed)
    names = [f"m{number}" for number in range(chance.randint(1, 8))]
    meters = {name: chance.choice([1.0, 10.0, 60.0, 300.0]) for name in names}
    schedule, without_rounds = begun(meters.items()), _ScheduleWithoutRounds(meters)
    now_s = 0.0
    for _ in range(500):
        for _ in range(2):  # asked early, and when it is due
            meter, slot = schedule.next(now_s)
            assert (meter, slot.number) == without_rounds.next(now_s)
            now_s = max(now_s, slot.due_s)
        now_s += 30 * chance.random() ** 4 if chance.random() < 0.7 else 0.0
        failures = chance.choice([0, 0, 0, 0, 1, 2, 3])
        held_back = failures != 1 and chance.random() < 0.3  # garbled is no failure
        not_before_s = now_s + 2 * meters[meter] if held_back else -math.inf
        schedule.reschedule(now_s, not_before_s=not_before_s, failures=failures)
        without_rounds.reschedule(now_s, not_before_s, failures)


def test_a_timer_that_fires_early_does_not_double_a_slot() -> None:
    schedule = begun([("m", 10.0)])
    first = schedule.next(0.0)[1].due_s
    slot = schedule.reschedule(first - 0.001)
    assert math.isclose(slot.due_s, first + 10, abs_tol=1e-5)


def test_a_meter_in_doubt_lets_those_go_first_that_answered() -> None:
    """Six dead units before a living one: it waits for one of them, never for all."""
    schedule = begun([(f"m{number}", 10.0) for number in range(7)])
    now_s = 0.0
    for _ in range(7):
        meter, slot = schedule.next(now_s)
        now_s = max(now_s, slot.due_s)
        schedule.reschedule(now_s, failures=2 * (meter != "m3"))
    now_s += 15.0  # the slots of all have come
    asked = []
    for _ in range(7):
        asked.append(schedule.next(now_s)[0])
        schedule.reschedule(now_s, failures=2 * (asked[-1] != "m3"))
    assert asked[0] == "m3"
    assert len(set(asked)) == 7


def test_a_meter_in_doubt_is_asked_at_its_time_when_nobody_else_is_due() -> None:
    schedule = begun([("slow", 100.0), ("dead", 10.0)])
    now_s, asked = 0.0, []
    for _ in range(30):
        meter, slot = schedule.next(now_s)
        now_s = max(now_s, slot.due_s)
        asked.append(meter)
        schedule.reschedule(now_s, failures=2 * (meter == "dead"))
    assert 24 <= asked.count("dead") <= 28


def test_a_meter_in_doubt_gets_its_turn_on_a_bus_that_can_not_keep_up() -> None:
    """Every question takes longer than an interval: all are always due."""
    meters = [("dead", 1.0), *((f"m{number}", 1.0) for number in range(4))]
    schedule = begun(meters)
    now_s, asked = 0.0, []
    for _ in range(100):
        meter, slot = schedule.next(now_s)
        now_s = max(now_s, slot.due_s) + 3.0
        asked.append(meter)
        schedule.reschedule(now_s, failures=2 * (meter == "dead"))
    assert 10 <= asked.count("dead") <= 25


def test_the_meters_of_a_bus_are_asked_one_after_the_other_in_one_order() -> None:
    """Rounding must not shuffle them: a series whose times wander by a round lines up with none."""
    schedule = begun([(f"m{number}", 10.0) for number in range(30)])
    now_s, rounds = 0.0, []
    for _ in range(50):
        asked = []
        for _ in range(30):
            meter, slot = schedule.next(now_s)
            now_s = max(now_s, slot.due_s)
            asked.append(meter)
            now_s += 0.07
            schedule.reschedule(now_s)
        rounds.append(asked)
    assert all(asked == rounds[0] for asked in rounds[1:])


def test_fast_meters_do_not_lose_slots_beside_many_slow_ones() -> None:
    """One of a second and thirty of a minute, 0.2 s each: the bus is busy for 30 % of its time."""
    schedule = begun([("fast", 1.0), *((f"slow{number}", 60.0) for number in range(30))])
    now_s = 0.0
    asked = []
    while now_s < 3600:
        meter, slot = schedule.next(now_s)
        now_s = max(now_s, slot.due_s) + 0.2
        asked.append(meter)
        schedule.reschedule(now_s)
    assert asked.count("fast") >= 3598
    assert all(asked.count(f"slow{number}") >= 59 for number in range(30))


def test_what_found_nothing_is_tried_once_more_where_the_next_slot_is_far_away() -> None:
    """A lost reply must not cost an hourly series its hour."""
    schedule = begun([("m", 3600.0)])
    first = schedule.next(0.0)[1].due_s
    again = schedule.reschedule(first, failures=1)
    assert again.due_s == first + RETRY_S
    following = schedule.reschedule(again.due_s)
    assert math.isclose(following.due_s, first + 3600, abs_tol=1e-4)


def test_what_is_tried_once_more_is_tried_alone() -> None:
    """A neighbour that has long been silent stays at its phase."""
    schedule = begun([("m0", 900.0), ("m1", 900.0)])
    first = schedule.next(0.0)[1].due_s
    late = first + 500.0
    again = schedule.reschedule(late, failures=1)
    assert again.due_s == late + RETRY_S
    schedule.next(late)
    following = schedule.reschedule(late + 1.0, failures=2)
    assert math.isclose(following.due_s, first + 900, abs_tol=1e-5)


def test_a_meter_that_is_asked_often_is_not_tried_in_between() -> None:
    schedule = begun([("m", 10.0)])
    first = schedule.next(0.0)[1].due_s
    following = schedule.reschedule(first, failures=1)
    assert math.isclose(following.due_s, first + 10, abs_tol=1e-5)
