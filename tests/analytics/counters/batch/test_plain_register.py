"""A register is plain only if the search could decide nothing else."""

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.counters.batch.plain_register import plain_register
from analytics.counters.meter_devices import ALWAYS, HOUR_MS, Device, MeterDevices

METER = MeterDevices("m", (Device(step=0.01, no_values=(1030.0,)),), 50.0)
TIMES = np.arange(20, dtype=np.int64) * HOUR_MS


def rising(first: float = 100.0) -> NDArray[np.float64]:
    return first + 10.0 * np.arange(20.0)


def test_a_register_that_only_grows_is_plain() -> None:
    register = plain_register(TIMES, rising(), METER, ALWAYS)
    assert register is not None
    assert register.line.edges_ms.tolist() == [0, 19 * HOUR_MS]
    assert register.stable_ms == (15 * HOUR_MS, 4 * HOUR_MS)


def test_a_gap_is_a_span_of_its_own() -> None:
    kept = np.delete(np.arange(20), slice(5, 12))
    register = plain_register(TIMES[kept], rising()[kept], METER, ALWAYS)
    assert register is not None
    assert register.line.edges_ms.tolist() == [0, 4 * HOUR_MS, 12 * HOUR_MS, 19 * HOUR_MS]
    assert register.line.covered.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("at", "value"),
    [(3, 0.0), (3, np.nan), (3, 129.98), (3, 139.99), (3, 181.0), (0, -1.0), (19, np.inf)],
)
def test_one_doubtful_reading_is_enough(at: int, value: float) -> None:
    values = rising()
    values[at] = value
    is_plain = plain_register(TIMES, values, METER, ALWAYS) is not None
    assert is_plain == (value in (129.98, 139.99))  # still between its neighbours, and not too fast


@pytest.mark.parametrize("first", [1030.0, 900.0, 65.535, 65535.0 - 190.0])
def test_a_number_that_may_mean_no_value_is_not_plain(first: float) -> None:
    """1030 is a number of the device. 65.535 and 65535 are the first and the last reading."""
    assert plain_register(TIMES, rising(first), METER, ALWAYS) is None


@pytest.mark.parametrize(
    "devices",
    [
        MeterDevices("m", METER.devices, 50.0, resets="daily"),
        MeterDevices("m", (Device(ratios=((-(2**62), 1.0), (5 * HOUR_MS, 2.0))),)),
        MeterDevices("m", (Device(until_ms=30 * HOUR_MS, final=500.0), Device(from_ms=30))),
    ],
)
def test_recorded_changes_are_left_to_the_search(devices: MeterDevices) -> None:
    assert plain_register(TIMES, rising(), devices, ALWAYS) is None


def test_a_change_outside_of_the_window_matters_not() -> None:
    ratios = ((-(2**62), 1.0), (30 * HOUR_MS, 2.0))
    devices = MeterDevices("m", (Device(until_ms=50 * HOUR_MS, final=500.0, ratios=ratios),))
    assert plain_register(TIMES, rising(), devices, (0, 25 * HOUR_MS)) is not None
