"""No number for "no value" and no zero before the first real reading becomes consumption."""

from collections.abc import Sequence

import numpy as np
import pytest

from analytics.counters.believed_register import believed_register
from analytics.counters.consumption import consumption_between
from analytics.counters.meter_devices import HOUR_MS, Device, MeterDevices
from analytics.counters.register_segments import BelievedRegister

DAY_MS = 24 * HOUR_MS
BARE = MeterDevices("m")
RATED = MeterDevices("m", rate_max_per_h=400.0)
TENTHS = MeterDevices("m", (Device(step=0.1, modulus=429496729.6),))
EACH = pytest.mark.parametrize("devices", [BARE, RATED, TENTHS])


def read(
    values: Sequence[float], devices: MeterDevices, step_ms: int = HOUR_MS
) -> BelievedRegister:
    times = np.arange(len(values), dtype=np.int64) * step_ms
    return believed_register(times, np.array(values, dtype=np.float64), devices)


def counted(register: BelievedRegister) -> float:
    return float(register.cumulative()[-1])


def codes(register: BelievedRegister) -> list[str]:
    return sorted({one.finding.code for one in register.findings})


@EACH
def test_the_example(devices: MeterDevices) -> None:
    register = read([0, 0, 1103325, 1103400, 4294967295, 0, 1103560], devices)
    assert counted(register) == 235
    assert codes(register) == ["set_aside"]


@EACH
@pytest.mark.parametrize("number", [429496729.5, 4294967295.0, 2147483647.0, 65535.0, 6553.5])
def test_all_ones_at_night(devices: MeterDevices, number: float) -> None:
    values = [number if hour % 24 < 6 else 1000.0 + 10 * hour for hour in range(169)]
    register = read(values[:-1], devices)
    assert counted(register) == 10 * (167 - 6)
    edges = np.arange(0, 169, dtype=np.int64) * HOUR_MS
    coverage = consumption_between(register, edges).coverage
    nights = np.arange(168) % 24
    assert coverage[(nights >= 7) & (nights < 23)].min() == 1
    assert coverage[(nights < 5)].max() == 0


@EACH
def test_a_loggers_number_for_no_value_is_said(devices: MeterDevices) -> None:
    values = [-999.0 if hour in (5, 6, 40) else 1000.0 + 10 * hour for hour in range(60)]
    register = read(values, devices)
    assert counted(register) == 590
    assert [(one.first_ms, one.until_ms) for one in register.findings] == [
        (5 * HOUR_MS, 6 * HOUR_MS),
        (40 * HOUR_MS, 40 * HOUR_MS),
    ]
    assert codes(register) == ["set_aside"]


@EACH
def test_a_register_passes_through_such_a_number(devices: MeterDevices) -> None:
    register = read([6553.5 + number - 40 for number in range(80)], devices)
    assert counted(register) == 79
    assert not register.findings
    assert counted(read([6543.5, 6553.5], devices)) == 10


@EACH
@pytest.mark.parametrize(("zeros", "lifetime"), [(3, 1_103_325.0), (40, 12_000.0), (2000, 9e5)])
def test_the_first_real_reading_begins_the_register(
    devices: MeterDevices, zeros: int, lifetime: float
) -> None:
    values = [*[0.0] * zeros, *[lifetime + 75.0 * hour for hour in range(50)]]
    register = read(values, devices)
    assert counted(register) == 75.0 * 49
    assert register.times_ms[0] == zeros * HOUR_MS
    assert codes(register) == ["set_aside"]


@EACH
def test_a_new_meter_begins_at_zero(devices: MeterDevices) -> None:
    assert counted(read([0, 0, 0, 20, 45, 60, 80], devices)) == 80
    assert counted(read([0, 8000, 15000, 24000], devices, 30 * DAY_MS)) == 24000
    assert counted(read([0, 0, 1, 1, 1, 2, 2, 3], devices, 10_000)) == 3
    assert counted(read([0, 20], devices)) == 20


@EACH
def test_a_spike_in_the_first_hours_bears_nothing_out(devices: MeterDevices) -> None:
    values = [0.0, 0.0, *[50_000.0 + 10 * hour for hour in range(40)]]
    values[8] = 99_000.0
    assert counted(read(values, devices)) == 390


def test_a_recorded_first_value_is_believed() -> None:
    devices = MeterDevices("m", (Device(from_ms=0, initial=0.0),))
    assert counted(read([0, 0, 5000, 5010, 5020], devices)) == 5020


def test_zeros_of_a_month_do_not_make_a_window_stable() -> None:
    """The window begins in an outage in which a gateway answered zeros."""
    values = [*[0.0] * 900, *[5000.0 + 10 * hour for hour in range(100)]]
    times = np.arange(len(values), dtype=np.int64) * HOUR_MS
    window = (0, len(values) * HOUR_MS)
    register = believed_register(times, np.array(values), BARE, window)
    assert register.stable_ms is not None
    assert register.stable_ms[0] >= 900 * HOUR_MS


class TestGuessedRollover:
    months = (97_200.0, 97_750.0, 98_300.0, 98_860.0, 99_420.0, 99_980.0, 540.0)

    def test_is_named_and_doubted(self) -> None:
        register = read(self.months, BARE, 30 * DAY_MS)
        assert counted(register) == 3340
        assert codes(register) == ["rollover_guess"]
        assert register.findings[0].doubt == 100_000

    def test_with_a_ratio(self) -> None:
        devices = MeterDevices("m", (Device(ratios=((-(2**62), 40.0),)),))
        register = read([40 * month for month in self.months], devices, 30 * DAY_MS)
        assert counted(register) == 40 * 3340
        assert register.findings[0].doubt == 4_000_000

    def test_needs_no_guess_with_a_modulus(self) -> None:
        devices = MeterDevices("m", (Device(modulus=100_000.0),))
        register = read(self.months, devices, 30 * DAY_MS)
        assert counted(register) == 3340
        assert codes(register) == ["counter_rollover"]
        assert register.findings[0].doubt == 0

    def test_a_known_modulus_allows_a_usual_step_from_anywhere(self) -> None:
        """Read each half year: 88,000 to 2,000 are 14,000, as the half years before."""
        devices = MeterDevices("m", (Device(modulus=100_000.0),))
        values = [46_000, 60_500, 74_000, 88_000, 2_000, 16_000]
        register = read(values, devices, 182 * DAY_MS)
        assert counted(register) == 70_000
        assert codes(register) == ["counter_rollover"]

    @pytest.mark.parametrize(
        "values",
        [
            [*months[:-1], 9_000.0, 9_560.0, 10_120.0, 10_700.0, 11_260.0],
            [*(value - 20_000 for value in months[:-1]), 100.0, 660.0, 1220.0, 1780.0, 2340.0],
            [*(value - 6_000 for value in months[:-1]), 100.0, 660.0, 1220.0, 1780.0, 2340.0],
        ],
        ids=["too far", "from too low", "too far below"],
    )
    def test_is_not_made_elsewhere(self, values: list[float]) -> None:
        register = read(values, BARE, 30 * DAY_MS)
        assert codes(register) == ["counter_reset"]

    def test_is_not_made_for_a_stray_value(self) -> None:
        register = read([99_100, 99_110, 99_120, 50, 99_140, 99_150], BARE)
        assert counted(register) == 50
        assert codes(register) == ["set_aside"]

    def test_is_not_made_from_a_spike(self) -> None:
        """A spike of a power of ten, and a reset soon after it: ten million were counted."""
        before = [1000.0 + 2 * hour for hour in range(100)]
        after = [2.0 * hour for hour in range(1, 20)]
        for reset in ([], [0.0]):
            register = read([*before, 1e7, 1202.0, 1204.0, *reset, *after], BARE)
            assert counted(register) < 300
