"""Wrong contents of registers. 36 kW flow through e-1: a step of 0.01 kWh a second.

The expected values are calculated by hand from this.
"""

from datetime import UTC, datetime
from fractions import Fraction

import msgspec
import numpy as np
import pytest

from jieneng.metering.catalog.meter_model import Point
from simulators.faults import flow_faults, register_faults
from simulators.faults.fault import Fault
from simulators.faults.register_faults import SlipContext
from simulators.protocols import register_words
from simulators.protocols.simulated_protocol import Register
from simulators.registers.device_period import CounterAnchor, DevicePeriod
from simulators.registers.simulated_meter import SimulatedMeter
from simulators.scripting.fault_script import FaultScript
from tests.simulators.modbus_words import words_of
from tests.simulators.scene import BEGIN_MS, HOUR_MS, Scene, scene

pytestmark = pytest.mark.server

SECONDS = np.arange(0, 7200, 60)


def _readings(one: Scene) -> dict[int, float]:
    """What e-1's counter shows, by second."""
    shown = one.simulated.meters["e-1"].readings(BEGIN_MS + 1000 * SECONDS)["energy_kwh"]
    return {int(at): round(float(value), 6) for at, value in zip(SECONDS, shown, strict=True)}


async def test_a_stuck_register_stands_and_then_shows_what_it_missed() -> None:
    async with scene(register_faults.Stuck(meter="e-1", after_s=600, duration_s=1200)) as one:
        shown = _readings(one)
        assert shown[540] == 5.4
        assert {shown[second] for second in range(600, 1800, 60)} == {6.0}
        assert shown[1800] == 18.0
        master = await one.connect()
        one.clock.time_ms += 1_000_000
        assert await master.energy() == 6.0
        assert one.seen[-1].value == 6.0
        assert one.seen[-1].register == 10.0
        # 0x016A: total power, i32 x 0.001 kW: it goes on.
        answer = await master.ask(address=0x016A, count=2)
        assert int.from_bytes(answer[9:13], "big") == 36_000
        master.writer.close()


async def test_a_wrong_ratio_counts_too_much_and_what_was_counted_stays() -> None:
    fault = register_faults.WrongCt(meter="e-1", after_s=600, duration_s=1200, factor=2.0)
    async with scene(fault) as one:
        shown = _readings(one)
        assert shown[600] == 6.0
        assert shown[1200] == 6.0 + 2 * 6.0
        assert shown[1800] == 6.0 + 2 * 12.0
        assert shown[7140] == round(71.4 + 12.0, 6)
        one.clock.time_ms += 700_000
        master = await one.connect()
        answer = await master.ask(address=0x016A, count=2)
        assert int.from_bytes(answer[9:13], "big") == 72_000
        master.writer.close()


async def test_a_replaced_device_begins_anew_and_nobody_wrote_it_down() -> None:
    fault = register_faults.Replacement(meter="e-1", after_s=600, initial=3.5)
    async with scene(fault) as one:
        shown = _readings(one)
        assert (shown[540], shown[600], shown[660]) == (5.4, 3.5, 4.1)
        assert one.simulated.meters["e-1"].counter_without_faults(BEGIN_MS + 660_000) == 6.6


async def test_a_counter_rolls_over_at_the_chosen_moment() -> None:
    """A u32 of 0.01 kWh ends at 42,949,672.96 kWh."""
    async with scene(register_faults.Rollover(meter="e-1", after_s=600)) as one:
        shown = _readings(one)
        assert shown[540] == 42_949_672.96 - 0.6
        assert (shown[600], shown[660]) == (0.0, 0.6)
        times = np.asarray([BEGIN_MS + 3600_000])
        assert one.simulated.meters["e-1"].load.consumption(times)[0] == 36.0  # the truth


async def test_a_drifting_clock_shows_the_last_full_interval_of_its_own() -> None:
    """It renews every 300 s and is 100 s behind: at 09:50 UTC + 100 s it believes it is 09:50."""
    fault = register_faults.ClockDrift(
        meter="e-1", after_s=0, every_s=300, offset_s=-100, drift_s_per_day=0
    )
    async with scene(fault) as one:
        shown = _readings(one)
        assert shown[360] == 1.0  # renewed at second 100, on its clock a full five minutes
        assert shown[420] == shown[660] == 4.0
        assert shown[720] == 7.0


async def test_a_clock_that_drifts_is_off_by_more_every_day() -> None:
    fault = register_faults.ClockDrift(meter="e-1", after_s=0, every_s=60, drift_s_per_day=60)
    async with scene(fault) as one:
        day = BEGIN_MS + 24 * HOUR_MS
        seen = one.simulated.meters["e-1"].readings(np.asarray([day - 1000, day + 1000]))
        # It is 60 s ahead after a day: its full minute is 0 s before ours, give or take the pace.
        lag = np.asarray([86_399, 86_401]) - 100 * seen["energy_kwh"]
        assert (lag >= 0).all()
        assert (lag <= 60).all()


async def test_the_first_answers_on_a_new_connection_are_zeros() -> None:
    async with scene(register_faults.ZeroOnReconnect(bus="bus-a", answers=2)) as one:
        one.clock.time_ms += HOUR_MS
        for _ in range(2):
            master = await one.connect()
            values = [await master.energy() for _ in range(3)]
            assert values == [0.0, 0.0, 36.0]
            assert await master.energy(unit=2) == 0.0  # each meter has its own
            master.writer.close()
        assert [seen.register for seen in one.seen[:3]] == [36.0, 36.0, 36.0]
        assert {seen.verdict for seen in one.seen} == {"good"}


async def test_a_spike_touches_one_answer_and_only_its_register() -> None:
    async with scene(register_faults.Spike(meter="e-1", plus=500.0, probability=0.3)) as one:
        one.clock.time_ms += HOUR_MS
        master = await one.connect()
        values = [await master.energy() for _ in range(20)]
        assert set(values) == {36.0, 536.0}
        assert 2 <= values.count(536.0) <= 12
        again = Scene()
        again.script.place([register_faults.Spike(meter="e-1", plus=500.0, probability=0.3)])
        is_random = [bool(list(again.script.slip_faults("e-1", BEGIN_MS))) for _ in range(20)]
        assert is_random == [value == 536.0 for value in values]
        master.writer.close()


async def test_a_spike_of_power_leaves_the_energy_alone() -> None:
    fault = register_faults.Spike(meter="e-1", quantity="power_kw", plus=1000.0)
    async with scene(fault) as one:
        master = await one.connect()
        assert await master.energy() == 0.0
        answer = await master.ask(address=0x016A, count=2)
        assert int.from_bytes(answer[9:13], "big") == 1_036_000
        master.writer.close()


async def test_jitter_falls_back_by_so_many_steps_at_most() -> None:
    async with scene(register_faults.Jitter(meter="e-1", steps=3)) as one:
        one.clock.time_ms += HOUR_MS
        master = await one.connect()
        values = {await master.energy() for _ in range(12)}
        assert values <= {35.97, 35.98, 35.99}
        assert len(values) > 1
        master.writer.close()


async def test_torn_words_are_of_two_moments() -> None:
    """At 70,000 steps the high word is 1; torn, it is still 0."""
    async with scene(register_faults.Torn(meter="e-1")) as one:
        one.clock.time_ms += 70_000_000
        master = await one.connect()
        answer = await master.ask()
        assert answer[9:13] == (70_000 - 65_536).to_bytes(4, "big")
        assert one.seen[0].value == 44.64
        assert one.seen[0].register == 700.0
        master.writer.close()


@pytest.mark.parametrize(
    ("kind", "units", "torn"),
    [
        ("u32", 65_535.0, 65_535.0),  # there was no carry yet
        ("u32", 65_536.0, 0.0),
        ("i32", 131_073.0, 65_537.0),
        ("bcd48", 123_456_789.0, 123_446_789.0),
        ("u64", 2.0**32 + 5, 2.0**32 + 5 - 65_536),
        # 1.0 is 3F80 0000; with the high word of the number before the carry it is 3F7F 0000.
        ("f32", 1.0, 0.99609375),
    ],
)
def test_the_high_words_are_from_before_the_carry(kind: str, units: float, torn: float) -> None:
    point = Point(quantity="energy_kwh")
    register = Register(point, register_words.layout(kind, None), Fraction(1, 100), None)
    context = SlipContext(register, True, 1, 1)
    assert register_faults.Torn().changed_units(units, context) == torn


async def test_another_registers_contents_pass_every_check_of_the_protocol() -> None:
    async with scene(register_faults.WrongRegister(meter="e-1", offset=0x61)) as one:
        master = await one.connect()
        answer = await master.ask()
        volts = words_of(one.simulated.meters["e-1"], 3, 0x61, 2, BEGIN_MS)
        assert answer == bytes.fromhex("0007 0000 0007 01 03 04") + b"".join(
            word.to_bytes(2, "big") for word in volts
        )
        assert one.seen[0].verdict == "good"
        assert one.seen[0].value == (volts[0] * 65_536 + volts[1]) / 100
        assert one.seen[0].register == 0.0
        master.writer.close()


async def test_states_add_up_in_the_order_of_the_script() -> None:
    twice = register_faults.WrongCt(meter="e-1", after_s=0, factor=2.0)
    stuck = register_faults.Stuck(meter="e-1", after_s=600)
    async with scene(twice, stuck) as one:
        shown = _readings(one)
        assert shown[300] == 6.0
        assert shown[7140] == 12.0


async def test_a_state_that_was_switched_off_leaves_its_trace() -> None:
    async with scene() as one:
        placed = one.script.switch_on(register_faults.WrongCt(meter="e-1", factor=3.0), BEGIN_MS)
        one.clock.time_ms += 100_000
        one.script.switch_off(placed.id, one.clock.time_ms)
        times = np.asarray([BEGIN_MS + 200_000])
        assert one.simulated.meters["e-1"].readings(times)["energy_kwh"][0] == 4.0
        assert [one.is_active(BEGIN_MS + 50_000) for one in one.script.placed] == [True]


async def test_a_beginning_may_be_a_moment_of_the_calendar() -> None:
    start = datetime(2025, 6, 3, 2, 10, tzinfo=UTC)  # ten minutes after the simulation's
    async with scene(register_faults.Stuck(meter="e-1", start=start)) as one:
        assert one.script.placed[0].span.begin_ms == BEGIN_MS + 600_000


# --- a recorded replacement: after half an hour another device hangs there, at 1000 kWh ----------

SWAP_S = 1800


def _swapped(*faults: Fault) -> tuple[float, float, float]:
    """What e-1 shows a second before the swap, at it, and ten minutes after."""
    one = Scene()
    model = one.simulated.meters["e-1"].periods[0].model
    at_ms = BEGIN_MS + 1000 * SWAP_S
    device_periods = [
        DevicePeriod(0, model, anchor=CounterAnchor(at_ms, 500.0)),
        DevicePeriod(at_ms, model, installed_ms=at_ms, anchor=CounterAnchor(at_ms, 1000.0)),
    ]
    meter = SimulatedMeter("e-1", "electricity", one.simulated.loads["e-1"], device_periods)
    simulated = msgspec.structs.replace(
        one.simulated, meters={**one.simulated.meters, "e-1": meter}
    )
    FaultScript(simulated, 1, BEGIN_MS).place(faults)
    times = BEGIN_MS + 1000 * np.asarray([SWAP_S - 1, SWAP_S, SWAP_S + 600])
    before, swap, after = meter.readings(times)["energy_kwh"]
    return round(float(before), 6), round(float(swap), 6), round(float(after), 6)


@pytest.mark.parametrize(
    ("fault", "before"),
    [
        (None, 499.99),
        (register_faults.Replacement(meter="e-1", after_s=600, initial=5000.0), 5011.99),
        (register_faults.Stuck(meter="e-1", after_s=1200, duration_s=300), 499.99),
        (register_faults.WrongCt(meter="e-1", after_s=0, duration_s=1200, factor=2.0), 511.99),
        (flow_faults.Leak(meter="e-1", after_s=0, duration_s=1200, rate=36.0), 499.99),
    ],
)
def test_what_was_wrong_with_a_device_goes_with_it(fault: Fault | None, before: float) -> None:
    """The new one shows its recorded first reading, and counts from there. (A leak is no fault of
    the device: the old one ends at its recorded final reading, having begun lower.)"""
    assert _swapped(*([] if fault is None else [fault])) == (before, 1000.0, 1006.0)


def test_a_display_that_is_stuck_over_a_swap_is_stuck_at_each_devices_own_reading() -> None:
    fault = register_faults.Stuck(meter="e-1", after_s=1200, duration_s=1200)
    assert _swapped(fault) == (494.0, 1000.0, 1006.0)


def test_wrong_transformers_stay_where_they_are_when_the_meter_is_replaced() -> None:
    fault = register_faults.WrongCt(meter="e-1", after_s=1200, duration_s=6000, factor=2.0)
    assert _swapped(fault) == (499.99 + 5.99, 1000.0, 1012.0)


@pytest.mark.parametrize("turned", [False, True])
async def test_states_are_what_they_are_whoever_was_placed_first(turned: bool) -> None:
    """A display sticks at second 600; at second 1200 the device is replaced by one that is well."""
    faults = [
        register_faults.Stuck(meter="e-1", after_s=600, duration_s=1800),
        register_faults.Replacement(meter="e-1", after_s=1200, initial=100.0),
    ]
    async with scene(*(reversed(faults) if turned else faults)) as one:
        shown = _readings(one)
        assert (shown[1140], shown[1200], shown[2400]) == (6.0, 100.0, 112.0)
