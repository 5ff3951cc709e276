"""A register may jitter, roll over, be replaced or misread: its consumption stays right."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics.counters.believed_register import believed_register
from analytics.counters.consumption import consumption_between
from analytics.counters.meter_devices import HOUR_MS, Device, MeterDevices
from analytics.counters.register_segments import BelievedRegister

DAY_MS = 24 * HOUR_MS
#: 0.01 kWh, wraps at 100,000 kWh, at most 50 kW.
METER = MeterDevices("m", (Device(step=0.01, modulus=100_000.0),), 50.0)
#: A register without known properties.
UNKNOWN = MeterDevices("m")


def read(
    values: Sequence[float],
    devices: MeterDevices = METER,
    step_ms: int = HOUR_MS,
    start_ms: int = 0,
) -> BelievedRegister:
    times = start_ms + np.arange(len(values), dtype=np.int64) * step_ms
    return believed_register(times, np.array(values, dtype=np.float64), devices)


def counted(register: BelievedRegister) -> float:
    return float(register.cumulative()[-1])


def codes(register: BelievedRegister) -> list[str]:
    return [one.finding.code for one in register.findings]


def rising(first: float, count: int, step: float = 1.0) -> list[float]:
    return [round(first + step * n, 2) for n in range(count)]


class TestAStandstillKeepsWhatFlowed:
    """A register that stood still later shows the consumption of that time.

    The step is more than the nameplate allows since the last reading, but not since the register
    last changed. Causes are a frozen display, or a logger that renews its registers at intervals.
    """

    def test_half_a_day_in_one_step(self) -> None:
        """20 kW at 50 rated: 12 hours frozen are 240 kWh in one hour's step."""
        values = [*rising(100.0, 5, 20.0), *[180.0] * 12, *rising(440.0, 5, 20.0)]
        register = read(values)
        assert counted(register) == 520.0 - 100.0
        assert codes(register) == []

    def test_more_than_could_have_flowed_is_still_set_aside(self) -> None:
        """7 hours at a standstill, then 351 kWh more: 50 kW could make 350 of them."""
        values = [*rising(100.0, 5, 20.0), *[180.0] * 6, 531.02, *rising(200.0, 5, 20.0)]
        register = read(values)
        assert counted(register) == 280.0 - 100.0
        assert codes(register) == ["set_aside"]

    def test_a_spike_after_a_quiet_night_costs_nothing(self) -> None:
        """A plausible sum since the evening, but the morning's readings say otherwise."""
        values = [*rising(100.0, 5, 20.0), *[180.0] * 10, 500.0, *rising(182.0, 5, 2.0)]
        register = read(values)
        assert counted(register) == 190.0 - 100.0
        assert codes(register) == ["set_aside"]


@pytest.mark.parametrize("devices", [METER, UNKNOWN])
class TestWrongValuesBetweenGoodOnesCostNothing:
    def test_a_zero(self, devices: MeterDevices) -> None:
        register = read([10.0, 11.0, 0.0, 13.0, 14.0], devices)
        assert counted(register) == 4.0
        assert codes(register) == ["set_aside"]
        assert register.covered[:-1].all()

    def test_zeros_for_a_month(self, devices: MeterDevices) -> None:
        register = read([*rising(10.0, 48), *[0.0] * 720, *rising(900.0, 48)], devices)
        assert counted(register) == 947.0 - 10.0
        assert not register.covered.all()

    def test_a_zero_at_every_second_reading(self, devices: MeterDevices) -> None:
        values = [
            value for pair in zip(rising(10.0, 40), [0.0] * 40, strict=True) for value in pair
        ]
        assert counted(read(values, devices)) == 39.0

    def test_a_spike(self, devices: MeterDevices) -> None:
        assert counted(read([10.0, 11.0, 99_999.0, 13.0, 14.0], devices)) == 4.0

    def test_a_spike_after_an_outage_that_is_long_enough_for_it(
        self, devices: MeterDevices
    ) -> None:
        times = np.array([0, 1, 2, 1002, 1003, 1004], dtype=np.int64) * HOUR_MS
        values = np.array([10.0, 11.0, 12.0, 9_000.0, 500.0, 501.0])
        assert float(believed_register(times, values, devices).cumulative()[-1]) == 491.0

    def test_a_spike_as_the_first_reading(self, devices: MeterDevices) -> None:
        assert counted(read([77_777.0, *rising(10.0, 5)], devices)) == 4.0

    def test_a_spike_as_the_last_reading(self, devices: MeterDevices) -> None:
        """A nameplate shows it at once; without one the next reading does."""
        values = [*rising(10.0, 10), 99_999.0, *([] if devices is METER else [20.0])]
        assert counted(read(values, devices)) == (9.0 if devices is METER else 10.0)

    @pytest.mark.parametrize("level", [300.0, 60_000.0])
    def test_another_meters_readings_for_an_hour(self, devices: MeterDevices, level: float) -> None:
        own, other = rising(5000.0, 24 * 60, 0.02), rising(level, 60, 0.02)
        values = [*own[:600], *other, *own[660:]]
        assert counted(read(values, devices, 60_000)) == pytest.approx(own[-1] - own[0])

    def test_nothing_known(self, devices: MeterDevices) -> None:
        register = read([10.0, math.nan, 12.0, math.inf, 14.0, -3.0, 16.0], devices)
        assert register.stored.tolist() == [10.0, 12.0, 14.0, 16.0]
        assert counted(register) == 6.0

    def test_no_reading_at_all(self, devices: MeterDevices) -> None:
        register = read([math.nan, math.nan], devices)
        edges = np.array([0, HOUR_MS, 2 * HOUR_MS], dtype=np.int64)
        consumption = consumption_between(register, edges)
        assert np.isnan(consumption.amount).all()
        assert consumption.coverage.tolist() == [0.0, 0.0]


def test_jitter_within_the_resolution_holds() -> None:
    register = read([10.0, 10.01, 10.0, 10.01, 10.02])
    assert counted(register) == pytest.approx(0.02)
    assert not register.findings


def test_jitter_of_a_float_register_is_as_wide_as_its_float() -> None:
    """Above 524,288 a 32-bit float steps by 0.0625."""
    devices = MeterDevices("m", (Device(step=1.0, is_float32=True),), 50.0)
    register = read([600_000.0625, 600_000.0, 600_000.125], devices)
    assert counted(register) == 0.0625
    assert not register.findings


def test_what_grows_faster_than_the_nameplate_is_set_aside() -> None:
    register = read([10.0, 11.0, 62.5, 63.0, 64.0, 65.0, 66.0, 67.0, 68.0])
    assert codes(register) == ["set_aside"]
    assert counted(register) == 6.0 - 0.5  # 63.0 to 68.0 as one, 10.0 to 11.0 set aside


def test_at_the_nameplate_it_is_accepted() -> None:
    assert counted(read([10.0, 60.0, 110.01])) == pytest.approx(100.01)


@pytest.mark.parametrize("off_s", range(-30, 31, 2))
def test_a_run_of_almost_fifteen_hours_is_not_settled_yet(off_s: int) -> None:
    """A dense meter's first 15 h ended in an IndexError: the bonus for readings founded the run."""
    start, length = 1_700_000_000_000, 15 * HOUR_MS + 1000 * off_s
    times = start + np.arange(0, length + 1, 2000, dtype=np.int64)
    register = believed_register(
        times, 5 + np.arange(len(times), dtype=np.float64) / 100, MeterDevices("m")
    )
    if off_s < 0:
        assert register.stable_ms is None
    else:
        assert register.stable_ms == (start + 15 * HOUR_MS, start + 1000 * off_s)


class TestRollover:
    def test_is_counted_through(self) -> None:
        register = read([99_980.0, 99_990.0, 5.0, 15.0])
        assert counted(register) == pytest.approx(35.0)
        assert codes(register) == ["counter_rollover"]
        edges = np.array([0, 3], dtype=np.int64) * HOUR_MS
        assert consumption_between(register, edges).coverage.tolist() == [1.0]

    def test_through_zeros_that_are_real(self) -> None:
        register = read([99_980.0, 99_990.0, 0.0, 0.0, 15.0])
        assert counted(register) == pytest.approx(35.0)

    def test_not_where_the_step_would_be_too_fast(self) -> None:
        register = read([*rising(50_000.0, 10), *rising(5.0, 20)])
        assert codes(register) == ["counter_reset"]
        assert counted(register) == 9.0 + 19.0

    def test_without_a_nameplate_only_near_the_modulus(self) -> None:
        devices = MeterDevices("m", (Device(step=0.01, modulus=100_000.0),))
        assert counted(read([99_990.0, 5.0, 15.0], devices)) == pytest.approx(25.0)
        assert codes(read([*rising(50_000.0, 9), *rising(5.0, 9)], devices)) == ["counter_reset"]

    @pytest.mark.parametrize("high", [[9_998_980.78], [9_998_980.78, 9_998_981.0]])
    @pytest.mark.parametrize("earlier", [[], [*rising(1000.0, 30), 0.0]])
    def test_is_not_guessed_from_the_jump_into_a_spike(
        self, earlier: list[float], high: list[float]
    ) -> None:
        """The jump to just below a power of ten was taken for a usual step, so the fall after it
        was a guessed rollover; a level of earlier readings changed the result."""
        register = read([*earlier, *rising(0.12, 20), *high, *rising(1.35, 48)], UNKNOWN)
        assert "rollover_guess" not in codes(register)

    @pytest.mark.parametrize("earlier", [[], [*rising(99_912.0, 40, 2.0), 0.0]])
    def test_is_guessed_alike_where_an_earlier_level_splits_the_run(
        self, earlier: list[float]
    ) -> None:
        """Readings of the run before the split say which steps are usual, too."""
        register = read([*earlier, *rising(99_000.0, 200, 4.99), *rising(2.0, 48)], UNKNOWN)
        assert "rollover_guess" in codes(register)

    def test_is_laid_where_it_happened(self) -> None:
        register = read([99_980.0, 99_990.0, 10.0, 20.0])
        edges = np.array([0, 1, 2, 3], dtype=np.int64) * HOUR_MS
        assert consumption_between(register, edges).amount == pytest.approx([10.0, 20.0, 10.0])


class TestReset:
    values = (*rising(5000.0, 48), *rising(0.0, 48))

    def test_is_believed_once_the_register_goes_on_from_there(self) -> None:
        register = read(self.values)
        assert counted(register) == 47.0 + 47.0
        assert codes(register) == ["counter_reset"]
        assert dict(register.findings[0].finding.values)["before"] == 5047.0

    def test_is_set_aside_until_then(self) -> None:
        register = read(self.values[: 48 + 4])
        assert counted(register) == 47.0
        assert codes(register) == ["set_aside"]
        assert register.times_ms[-1] == 47 * HOUR_MS

    def test_leaves_its_hour_uncovered_and_uncounted(self) -> None:
        edges = np.array([46, 47, 48, 49], dtype=np.int64) * HOUR_MS
        consumption = consumption_between(read(self.values), edges)
        assert consumption.amount[[0, 2]].tolist() == [1.0, 1.0]
        assert math.isnan(consumption.amount[1])
        assert consumption.coverage.tolist() == [1.0, 0.0, 1.0]

    def test_of_a_meter_read_once_a_day(self) -> None:
        register = read([*rising(5000.0, 30), *rising(3.0, 30)], METER, DAY_MS)
        assert counted(register) == 29.0 + 29.0

    def test_upwards_is_no_consumption(self) -> None:
        """A register that was set to another value did not measure the difference."""
        register = read([*rising(10.0, 48), *rising(90_000.0, 48)])
        assert counted(register) == 47.0 + 47.0
        assert codes(register) == ["counter_reset"]


class TestReplacement:
    at = 48 * HOUR_MS + HOUR_MS // 2
    devices = MeterDevices(
        "m",
        (
            Device(until_ms=at, final=5048.0, step=0.01),
            Device(from_ms=at, initial=2.0, step=0.01),
        ),
        50.0,
    )

    def test_counts_to_the_final_and_from_the_initial(self) -> None:
        register = read([*rising(5000.0, 49), *rising(2.4, 48)], self.devices)
        assert counted(register) == pytest.approx(48.0 + 47.4)
        assert not register.findings

    def test_loses_nothing_where_the_new_one_answers_a_month_later(self) -> None:
        old, new = np.arange(49), np.arange(49, 97) + 720
        times = np.concatenate([old, new]).astype(np.int64) * HOUR_MS
        values = np.array([*rising(5000.0, 49), *rising(722.0, 48)])
        register = believed_register(times, values, self.devices)
        assert float(register.cumulative()[-1]) == pytest.approx(48.0 + 767.0)

    def test_old_readings_after_the_recorded_moment_are_set_aside(self) -> None:
        register = read([*rising(5000.0, 51), *rising(4.0, 48)], self.devices)
        assert counted(register) == pytest.approx(48.0 + 49.0)
        assert codes(register) == ["set_aside"]

    def test_a_final_that_was_written_down_wrong_invents_nothing(self) -> None:
        wrong = MeterDevices(
            "m", (Device(until_ms=self.at, final=9048.0), self.devices.devices[1]), 50.0
        )
        register = read([*rising(5000.0, 49), *rising(2.4, 48)], wrong)
        assert counted(register) == pytest.approx(48.0 + 47.4)
        assert codes(register) == ["set_aside"]


class TestTransformerRatio:
    at = 24 * HOUR_MS
    devices = MeterDevices("m", (Device(ratios=((-(2**62), 40.0), (at, 80.0)), step=0.01),), 4000.0)

    def secondary(self, count: int) -> NDArray[np.float64]:
        return np.array(rising(100.0, count, 0.5))

    def test_the_register_goes_on_behind_another_ratio(self) -> None:
        shown = self.secondary(48)
        times = np.arange(48, dtype=np.int64) * HOUR_MS + HOUR_MS // 2
        stored = shown * np.where(times < self.at, 40.0, 80.0)
        register = believed_register(times, stored, self.devices)
        assert counted(register) == pytest.approx(0.5 * 23.5 * 40.0 + 0.5 * 23.5 * 80.0)
        assert not register.findings
        assert register.covered[:-1].sum() == len(register.times_ms) - 2  # all but the joint

    def test_a_change_down_is_no_reset(self) -> None:
        falls = MeterDevices(
            "m", (Device(ratios=((-(2**62), 80.0), (self.at, 40.0)), step=0.01),), 4000.0
        )
        times = np.arange(48, dtype=np.int64) * HOUR_MS
        stored = self.secondary(48) * np.where(times < self.at, 80.0, 40.0)
        register = believed_register(times, stored, falls)
        assert counted(register) == pytest.approx(0.5 * 24 * 80.0 + 0.5 * 23 * 40.0)
        assert not register.findings

    def test_a_gap_over_the_change_is_divided_at_it(self) -> None:
        times = np.array([0, 48], dtype=np.int64) * HOUR_MS
        register = believed_register(times, np.array([100.0 * 40, 148.0 * 80]), self.devices)
        edges = np.array([0, 24, 48], dtype=np.int64) * HOUR_MS
        assert consumption_between(register, edges).amount.tolist() == [24.0 * 40, 24.0 * 80]

    def test_two_changes_in_one_gap(self) -> None:
        twice = ((-(2**62), 1.0), (10 * HOUR_MS, 2.0), (20 * HOUR_MS, 4.0))
        devices = MeterDevices("m", (Device(ratios=twice),))
        times = np.array([0, 30], dtype=np.int64) * HOUR_MS
        register = believed_register(times, np.array([0.0, 30.0 * 4]), devices)
        edges = np.array([0, 10, 20, 30], dtype=np.int64) * HOUR_MS
        assert consumption_between(register, edges).amount.tolist() == [10.0, 20.0, 40.0]


# --- properties ---------------------------------------------------------------------------------


@st.composite
def honest(draw: st.DrawFn) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """A register that only grows, within its nameplate, read now and then."""
    gaps = draw(st.lists(st.integers(1, 3 * 24 * 60), min_size=1, max_size=60))
    shares = draw(st.lists(st.integers(0, 100), min_size=len(gaps), max_size=len(gaps)))
    times = np.concatenate([[0], np.cumsum(gaps)]).astype(np.int64) * 60_000
    hundredths = [int(share * gap * 50 / 60) for share, gap in zip(shares, gaps, strict=True)]
    return times, (100_000 + np.concatenate([[0], np.cumsum(hundredths)])) / 100


@given(honest(), st.randoms(use_true_random=False), st.integers(1, 5 * 24 * 60))
def test_the_intervals_sum_to_last_minus_first(
    history: tuple[NDArray[np.int64], NDArray[np.float64]], random: object, length_min: int
) -> None:
    """The sum holds for all gaps, orders, duplicates and intervals."""
    times, values = history
    order = np.random.default_rng(length_min).permutation(len(times))
    twice = np.concatenate([order, order[: len(order) // 2]])
    register = believed_register(
        times[twice], values[twice], MeterDevices("m", (Device(step=0.01),), 50.0)
    )
    edges = np.arange(-HOUR_MS, times[-1] + 6 * DAY_MS, length_min * 60_000, dtype=np.int64)
    consumption = consumption_between(register, edges)
    known = np.nan_to_num(consumption.amount)
    assert known.sum() == pytest.approx(values[-1] - values[0], abs=1e-7)
    assert (known >= 0).all()
    assert (consumption.estimated <= known + 1e-9).all()
    assert ((consumption.coverage >= 0) & (consumption.coverage <= 1)).all()


@given(
    honest(),
    st.lists(st.tuples(st.integers(0, 60), st.floats(0, 1e6)), max_size=8),
)
@example(  # the consumption while the register was zero is in its next step
    (np.array([0, 60_000, 72_000_000]), np.array([1000.0, 1000.0, 1000.0])),
    [(0, 0.0), (1, 0.0)],
)
def test_no_energy_is_invented(
    history: tuple[NDArray[np.int64], NDArray[np.float64]], wrong: list[tuple[int, float]]
) -> None:
    """Wrong values may cost some energy, where they outnumber the good ones, but add none beyond
    what the nameplate allows in the time since the register last moved (law 2)."""
    times, values = history
    values = values.copy()
    for where, value in wrong:
        values[where % len(values)] = value
    register = believed_register(times, values, MeterDevices("m", (Device(step=0.01),), 50.0))
    steps = np.diff(register.cumulative())
    moved = np.append(True, steps > 0)[: len(steps)]
    since_ms = np.maximum.accumulate(np.where(moved, register.times_ms[:-1], 0))
    allowed = 50.0 * (register.times_ms[1:] - since_ms) / HOUR_MS + 0.01
    assert (steps >= 0).all()
    assert (steps <= allowed + 1e-2).all()


@st.composite
def troubled(draw: st.DrawFn) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Months of hours with zeros, spikes, resets, gaps, jitter and other meters' values in it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = draw(st.integers(200, 1500))
    values = 1000 + np.cumsum(rng.uniform(0, 3, count) * (rng.random(count) > 0.2))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, count - 1))
        length = draw(st.integers(1, 60))
        part = slice(at, at + length)
        match draw(st.sampled_from(["zero", "spike", "reset", "gap", "other", "jitter"])):
            case "zero":
                values[part] = 0.0
            case "spike":
                values[at] = 1e7
            case "reset":
                values[at:] -= values[at]
            case "gap":
                values[part] = np.nan
            case "other":
                values[part] = 70_000 + np.arange(len(values[part]))
            case "jitter":
                values[part] -= 0.01 * rng.integers(0, 2, len(values[part]))
    return np.arange(count, dtype=np.int64) * HOUR_MS, np.maximum(values, 0).round(2)


@settings(max_examples=200)
@given(troubled(), st.integers(0, 1500), st.integers(100, 800), st.booleans())
def test_a_settled_window_has_the_same_digits_as_the_whole(
    history: tuple[NDArray[np.int64], NDArray[np.float64]], first: int, length: int, rated: bool
) -> None:
    times, values = history
    devices = METER if rated else UNKNOWN
    whole = believed_register(times, values, devices)
    window = (first * HOUR_MS, (first + length) * HOUR_MS)
    inside = (times >= window[0]) & (times < window[1])
    part = believed_register(times[inside], values[inside], devices, window)
    if part.stable_ms is None or part.stable_ms[1] - part.stable_ms[0] < HOUR_MS:
        return
    edges = np.arange(part.stable_ms[0], part.stable_ms[1] + 1, HOUR_MS // 4, dtype=np.int64)
    by_whole, by_part = consumption_between(whole, edges), consumption_between(part, edges)
    np.testing.assert_array_equal(by_whole.amount, by_part.amount)
    np.testing.assert_array_equal(by_whole.coverage, by_part.coverage)
    np.testing.assert_array_equal(by_whole.estimated, by_part.estimated)
