"""Imported values that can't be consumption are set aside; corrections are kept."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from analytics.counters.imported_consumption import ImportedConsumption
from analytics.counters.interval_check import JudgedIntervals, judge_intervals
from analytics.counters.meter_devices import HOUR_MS, Device, MeterDevices

RATED = MeterDevices("m", rate_max_per_h=100.0)
BARE = MeterDevices("m")
DAY_MS = 24 * HOUR_MS


def judge(
    values: Sequence[float], devices: MeterDevices = RATED, length_ms: int = HOUR_MS
) -> JudgedIntervals:
    start_ms = np.arange(len(values), dtype=np.int64) * length_ms
    return judge_intervals(
        ImportedConsumption(
            start_ms,
            start_ms + length_ms,
            np.array(values, dtype=np.float64),
            np.zeros(len(values), dtype=np.bool_),
        ),
        devices,
    )


def aside(judged: JudgedIntervals, count: int, length_ms: int = HOUR_MS) -> list[int]:
    """Return the numbers of the intervals that are not believed."""
    believed = set((judged.believed.start_ms // length_ms).tolist())
    return sorted(set(range(count)) - believed)


def codes(judged: JudgedIntervals) -> list[str]:
    return [one.finding.code for one in judged.findings]


def twenties(changes: Mapping[int, float], count: int = 200) -> list[float]:
    return [changes.get(number, 20.0 + number % 3) for number in range(count)]


def test_the_example() -> None:
    judged = judge([20, 21, -999, 22, 99, -57, 20, 1003, 20])
    assert aside(judged, 9) == [2, 7]
    assert codes(judged) == ["no_value", "above_nameplate"]
    assert all(one.doubt == 0 for one in judged.findings)


@pytest.mark.parametrize("devices", [RATED, BARE])
@pytest.mark.parametrize(
    "number", [-999.0, -9999.0, -99.0, -32768.0, -3276.8, 4294967295.0, 429496729.5, 2147483.647]
)
def test_a_number_for_no_value(devices: MeterDevices, number: float) -> None:
    judged = judge(twenties({50: number, 51: number, 90: number}), devices)
    assert aside(judged, 200) == [50, 51, 90]
    assert set(codes(judged)) == {"no_value"}


@pytest.mark.parametrize("devices", [RATED, BARE])
def test_minus_one_in_a_row_means_no_value_also_beside_ones(devices: MeterDevices) -> None:
    values = [1.0, 0.0, 2.0, 1.0, -1.0, -1.0, -1.0, 1.0, 3.0, 1.0, 1.0]
    assert aside(judge(values, devices), len(values)) == [4, 5, 6]


@pytest.mark.parametrize("apart", [-24, -1, 1, 24])
def test_a_pair_stays_even_above_the_nameplate(apart: int) -> None:
    judged = judge(twenties({100: 379.34, 100 + apart: -379.34}))
    assert not aside(judged, 200)
    assert not judged.findings


def test_two_pairs_in_a_row_stay() -> None:
    assert not aside(judge(twenties({100: 79.0, 101: 80.0, 102: -79.0, 103: -80.0})), 200)


@pytest.mark.parametrize("apart", [2, 40])
def test_a_value_is_taken_back_once(apart: int) -> None:
    judged = judge(twenties({100: 79.34, 101: -79.34, 101 + apart: -79.34}))
    assert aside(judged, 200) == [101 + apart]
    assert codes(judged) == ["negative_interval"]


@pytest.mark.parametrize("taken_back", [-5.0, -57.0, -70.0])
def test_an_excess_is_taken_back_in_part(taken_back: float) -> None:
    assert not aside(judge(twenties({100: 97.0, 104: taken_back})), 200)


@pytest.mark.parametrize("value", [-5.0, -20.5, -300.0])
def test_without_an_excess_it_is_no_correction(value: float) -> None:
    assert aside(judge(twenties({100: value})), 200) == [100]


def test_a_fall_within_the_rounding_stays() -> None:
    assert not aside(judge(twenties({100: -0.01})), 200)


def test_an_excess_that_stays_too_great_goes_with_its_correction() -> None:
    judged = judge(twenties({100: 900.0, 101: -100.0}))
    assert aside(judged, 200) == [100, 101]


def test_a_long_row_of_negative_values_is_no_correction() -> None:
    noon = {100 + number: -30.0 - number for number in range(9)}
    assert aside(judge(twenties({80: 99.0, **noon})), 200) == list(noon)


def test_a_month_is_taken_back_in_the_next_one() -> None:
    values = [15_000.0, 14_000.0, 64_000.0, 15_000.0, -50_000.0, 15_000.0]
    assert not aside(judge(values, RATED, 30 * DAY_MS), 6, 30 * DAY_MS)


def test_the_nameplate_holds_with_the_resolution() -> None:
    rough = MeterDevices("m", (Device(step=1.0, ratios=((-(2**62), 10.0),)),), 100.0)
    assert not aside(judge(twenties({100: 110.0}), rough), 200)
    assert aside(judge(twenties({100: 110.1}), rough), 200) == [100]


def test_an_hour_may_hold_what_an_outage_held_back() -> None:
    zeros = dict.fromkeys(range(100, 130), 0.0)
    assert not aside(judge(twenties({**zeros, 130: 31 * 20.0})), 200)
    assert aside(judge(twenties({**zeros, 130: 32 * 100.0})), 200) == [130]


def test_a_number_for_no_value_is_no_time_in_which_nothing_flowed() -> None:
    unknown = dict.fromkeys(range(100, 130), -999.0)
    assert not aside(judge(twenties({**unknown, 130: 31 * 20.0})), 200)[30:]


def test_sixteen_bits_may_be_consumption() -> None:
    usual = [64.0 + number % 4 for number in range(200)]
    usual[100] = 65.535
    assert not aside(judge(usual, BARE), 200)
    usual[100] = 65535.0
    assert aside(judge(usual, BARE), 200) == [100]


def test_nothing_and_sentinels_only() -> None:
    assert not judge([]).findings
    assert aside(judge([-1.0] * 5, BARE), 5) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("length", [1, 3])
def test_a_window_with_its_context_has_the_same_result(length: int) -> None:
    """Law 5: the result of a week does not depend on what lies further away than eight days."""
    rng = np.random.default_rng(length)
    count = 24 * 60
    values = rng.uniform(0, 40, count)
    at = rng.integers(0, count, 60)
    values[at] = rng.choice([-999.0, -1.0, 90.0, -60.0, 0.0, 900.0, 4294967295.0, -7.0], 60)
    start_ms = np.arange(count, dtype=np.int64) * HOUR_MS
    whole = judge_intervals(
        ImportedConsumption(start_ms, start_ms + HOUR_MS, values, np.zeros(len(values), np.bool_)),
        RATED,
    )
    for first in range(24 * 10, count - 24 * 20, 24 * 7):
        part = slice(first - 8 * 24, first + 24 * (7 * length + 8))
        imported = ImportedConsumption(
            start_ms[part],
            start_ms[part] + HOUR_MS,
            values[part],
            np.zeros(len(values[part]), np.bool_),
        )
        inside = first * HOUR_MS, (first + 24 * 7 * length) * HOUR_MS
        kept = [
            set(each.believed.start_ms[slice(*np.searchsorted(each.believed.start_ms, inside))])
            for each in (whole, judge_intervals(imported, RATED))
        ]
        assert kept[0] == kept[1]
