"""A finding about a register says its time, and how much consumption it puts in doubt."""

import math

import numpy as np
import pytest

from analytics.counters.believed_register import believed_register
from analytics.counters.meter_devices import HOUR_MS, Device, MeterDevices
from analytics.counters.register_finding import RegisterFinding, greatest_rate

NAMEPLATE = MeterDevices("m", (Device(step=0.01, modulus=100_000.0),), 50.0)
NONE = MeterDevices("m")
LONG = 48


def found(values: list[float], devices: MeterDevices) -> tuple[RegisterFinding, ...]:
    times = np.arange(len(values), dtype=np.int64) * HOUR_MS
    return believed_register(times, np.array(values), devices).findings


def reset(step: float = 2.0, hours_without: int = 3) -> list[float]:
    """Return a register that restarts, after some hours without a reading."""
    before = [5000.0 + step * hour for hour in range(LONG)]
    return [*before, *[math.nan] * (hours_without - 1), *[step * hour for hour in range(LONG)]]


class TestADoubtIsWhatMayBeWrong:
    def test_of_a_reset_by_the_nameplate(self) -> None:
        (one,) = found(reset(), NAMEPLATE)
        assert one.finding.code == "counter_reset"
        assert (one.first_ms, one.until_ms) == ((LONG - 1) * HOUR_MS, (LONG + 2) * HOUR_MS)
        assert one.doubt == 50.0 * 3

    def test_of_a_reset_by_the_greatest_rate_of_the_meters_own_past(self) -> None:
        """A step of 9 kWh an hour in the week before; 40 a week earlier count no longer."""
        before = np.cumsum([40.0, *[2.0] * 200, 9.0, *[2.0] * 20]) + 5000.0
        (one,) = found([*before.tolist(), *[2.0 * hour for hour in range(LONG)]], NONE)
        assert one.doubt == pytest.approx(9.0)

    def test_of_a_reset_after_a_standstill_is_unbounded(self) -> None:
        """A register that stood still says nothing about what could have flowed."""
        values = [*[5000.0] * (9 * 24), *[2.0 * hour for hour in range(LONG)]]
        (one,) = found(values, NONE)
        assert math.isnan(one.doubt)

    def test_of_a_rollover_by_the_known_modulus_is_none(self) -> None:
        before = [99_990.0 + hour * 0.2 for hour in range(LONG)]
        (one,) = found([*before, *[0.4 + 0.2 * hour for hour in range(LONG)]], NAMEPLATE)
        assert (one.finding.code, one.doubt) == ("counter_rollover", 0.0)

    def test_of_readings_set_aside_is_none(self) -> None:
        """Two spikes next to each other are one finding, a third one hours later is another."""
        values = [10.0 + hour for hour in range(20)]
        values[5] = values[6] = 9000.0
        values[12] = 0.0
        first, second = found(values, NAMEPLATE)
        assert (first.first_ms, first.until_ms) == (5 * HOUR_MS, 6 * HOUR_MS)
        assert (second.first_ms, second.until_ms) == (12 * HOUR_MS, 12 * HOUR_MS)
        assert [one.doubt for one in (first, second)] == [0.0, 0.0]


def test_readings_set_aside_all_the_time_are_one_finding_a_quarter_of_an_hour() -> None:
    """A gateway that answers every second poll of ten seconds with zero."""
    times = np.arange(0, 4 * HOUR_MS, 10_000, dtype=np.int64)
    values = np.where(np.arange(len(times)) % 2, 0.0, 5000.0 + np.arange(len(times)) / 100)
    register = believed_register(times, values, NAMEPLATE)
    assert len(register.findings) == 16


def test_the_own_past_of_a_meter_that_is_read_each_month_is_its_last_five_steps() -> None:
    month = 30 * 24 * HOUR_MS
    times = np.arange(9, dtype=np.int64) * month
    steps = np.array([90.0, 1.0, 3.0, 2.0, 2.0, 2.0, 50.0, 50.0])
    assert greatest_rate(times, steps, 7) == 3.0 / month
    assert math.isnan(greatest_rate(times, steps, 1))
