"""Lone zeros and spikes are set aside as the search would, and other dirt is left to the search."""

from collections.abc import Mapping

import numpy as np
import pytest

from analytics.counters.batch.lone_strays import StrayFreeRegister, without_lone_strays
from analytics.counters.meter_devices import ALWAYS, HOUR_MS, Device, MeterDevices

METER = MeterDevices("m", (Device(step=0.01, modulus=1e6),), 50.0)
TIMES = np.arange(100, dtype=np.int64) * HOUR_MS


def read(wrong: Mapping[int, float], devices: MeterDevices = METER) -> StrayFreeRegister | None:
    """Return the register of 100 hours with 10 kWh each, from 1000 on, with wrong values."""
    values = 1000.0 + 10.0 * np.arange(100.0)
    for at, value in wrong.items():
        values[at] = value
    return without_lone_strays(TIMES, values, devices, ALWAYS)


@pytest.mark.parametrize(
    "wrong",
    [
        {30: 0.0, 60: 0.0},
        {30: 0.0, 31: 0.0},
        {50: 12_000.0},
        {50: 12_000.0, 51: 0.0},
        {49: 0.0, 50: 12_000.0},
        {30: 12_000.0, 32: 13_000.0},
        {30: 4_294_967_295.0, 50: np.nan},
        {1: 12_000.0, 97: 13_000.0},  # the first run has one reading, the last one has two
        {20: 1505.0, 60: 1755.0},  # the level of a spike cuts a run of good readings
    ],
)
def test_good_readings_remain(wrong: Mapping[int, float]) -> None:
    register = read(wrong)
    assert register is not None
    assert np.diff(register.line.stored).sum() == 990.0
    assert len(register.line.times_ms) == 100 - len(wrong)
    places = [at for at, value in wrong.items() if at - 1 not in wrong and not np.isnan(value)]
    assert [one.first_ms for one in register.findings] == [at * HOUR_MS for at in places]


@pytest.mark.parametrize(
    "wrong",
    [
        {0: 0.0},
        {99: 12_000.0},
        {98: 12_000.0},  # the last run has one reading
        {10: 1905.0},  # cut at its level, the last run ends with a short one
        {30: 12_000.0, 31: 13_000.0},
        {30: 700.0},  # too low, so it is not known which readings are wrong
        {50: 1515.0},  # only the next reading is lower
        {50: 999_995.0},  # near the modulus
        {50: -1.0},
    ],
)
def test_other_dirt_is_left_to_the_search(wrong: Mapping[int, float]) -> None:
    assert read(wrong) is None


def test_numbers_of_the_device_that_mean_no_value_are_no_readings() -> None:
    devices = MeterDevices("m", (Device(step=1.0, no_values=(12_000.0,)),), 50.0)
    register = read({50: 12_000.0, 60: 0.0}, devices)
    assert register is not None
    assert [one.first_ms for one in register.findings] == [60 * HOUR_MS]
    assert register.stable_ms is not None


def test_a_zero_beside_a_spike_is_no_reset() -> None:
    """Without a nameplate, a fall from the spike to the zero could begin a new count."""
    register = read({49: 0.0, 50: 12_000.0, 51: 0.0}, MeterDevices("m"))
    assert register is not None
    assert [one.finding.code for one in register.findings] == ["set_aside"]
