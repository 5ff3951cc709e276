"""All consumption of a register that is reset to 0 counts; the estimated part is stated."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.counters.believed_register import believed_register
from analytics.counters.consumption import Consumption, consumption_between
from analytics.counters.meter_devices import HOUR_MS, Device, MeterDevices
from analytics.counters.resets.reset_pattern import reset_moments
from jieneng.metering.site import Resets

ZONE = ZoneInfo("Asia/Shanghai")
DAY_MS = 24 * HOUR_MS
START_MS = round(datetime(2024, 12, 1, tzinfo=ZONE).timestamp() * 1000)
DAYS = 62
FINE = np.arange(START_MS - 400 * DAY_MS, START_MS + (DAYS + 2) * DAY_MS, HOUR_MS // 4)
TRUTH = np.cumsum(5 + 25 * ((FINE // HOUR_MS + 8) % 24 > 8)) / 4


def total(times: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.interp(times, FINE, TRUTH)


def shown(times: NDArray[np.int64], resets: Resets, late_ms: int = 0) -> NDArray[np.float64]:
    moments = reset_moments(resets, int(times[0]) - 390 * DAY_MS, int(times[-1]), ZONE) + late_ms
    since = moments[np.searchsorted(moments, times, side="right") - 1]
    return total(times) - total(since)


def readings(step_ms: int, offset_ms: int = 0) -> NDArray[np.int64]:
    return np.arange(START_MS + offset_ms, START_MS + DAYS * DAY_MS, step_ms, dtype=np.int64)


def by_day(
    times: NDArray[np.int64], values: NDArray[np.float64], devices: MeterDevices
) -> Consumption:
    edges = START_MS + np.arange(1, DAYS - 1, dtype=np.int64) * DAY_MS
    return consumption_between(believed_register(times, values, devices), edges)


@pytest.mark.parametrize("resets", ["daily", "monthly", "yearly"])
@pytest.mark.parametrize("step_ms", [HOUR_MS // 4, HOUR_MS, 2 * HOUR_MS])
@pytest.mark.parametrize("rate", [40.0, np.inf])
def test_the_days_are_known_but_for_the_end(resets: Resets, step_ms: int, rate: float) -> None:
    times = readings(step_ms)
    devices = MeterDevices("m", rate_max_per_h=rate, resets=resets, zone=ZONE)
    days = by_day(times, shown(times, resets), devices)
    edges = START_MS + np.arange(1, DAYS - 1, dtype=np.int64) * DAY_MS
    off = np.abs(days.amount - np.diff(total(edges)))
    assert off.max() <= 13 * step_ms / HOUR_MS  # the mean of 30 by day and 5 at night, for a step
    assert days.coverage.min() == 1
    is_last = np.isin(edges[1:], reset_moments(resets, int(edges[0]), int(edges[-1]), ZONE))
    assert off[~is_last].max(initial=0) < 1e-6
    assert (days.estimated[is_last] > 0).all()
    assert days.estimated[~is_last].max(initial=0) == 0


def test_the_last_value_of_a_day_may_be_read_at_midnight() -> None:
    """Then the day is known to the end, and nothing is estimated."""
    times = readings(HOUR_MS)
    values = shown(times, "daily", late_ms=1)
    days = by_day(times, values, MeterDevices("m", resets="daily", zone=ZONE))
    assert days.amount == pytest.approx(np.diff(total(START_MS + np.arange(1, DAYS - 1) * DAY_MS)))
    assert days.estimated.sum() == 0


@pytest.mark.parametrize("late_min", [-9, 7])
def test_the_clock_of_the_meter_may_differ(late_min: int) -> None:
    times = readings(HOUR_MS // 12, HOUR_MS + HOUR_MS // 30)
    values = shown(times, "daily", late_ms=late_min * 60_000)
    register = believed_register(times, values, MeterDevices("m", resets="daily", zone=ZONE))
    assert not register.findings
    assert float(register.cumulative()[-1]) == pytest.approx(
        float(np.diff(total(times[[0, -1]]))[0]), rel=2e-3
    )


def test_a_long_gap_before_midnight_is_unknown() -> None:
    times = readings(HOUR_MS)
    kept = (times < START_MS + 5 * DAY_MS + 18 * HOUR_MS) | (times > START_MS + 6 * DAY_MS)
    values = shown(times, "daily")
    devices = MeterDevices("m", resets="daily", zone=ZONE)
    days = by_day(times[kept], values[kept], devices)
    assert days.coverage[4] == pytest.approx(17 / 24)
    assert days.amount[4] == pytest.approx(
        np.interp(17 * HOUR_MS, FINE - START_MS, TRUTH) * 0 + values[5 * 24 + 17]
    )
    assert days.coverage[5] == 1


def test_wrong_values_are_set_aside_as_of_any_register() -> None:
    times = readings(HOUR_MS)
    values = shown(times, "daily")
    right = by_day(times, values, MeterDevices("m", resets="daily", zone=ZONE))
    wrong = values.copy()
    wrong[24 * 7 + 9], wrong[24 * 9 + 15], wrong[24 * 11 + 12] = 0, 9e5, 4294967295
    devices = MeterDevices("m", rate_max_per_h=60.0, resets="daily", zone=ZONE)
    assert by_day(times, wrong, devices).amount == pytest.approx(right.amount)


def test_a_ratio_and_a_replacement() -> None:
    times, at = readings(HOUR_MS), START_MS + 20 * DAY_MS + 12 * HOUR_MS
    values = 40 * shown(times, "daily")
    new = times >= at
    values[new & (times < START_MS + 21 * DAY_MS)] -= values[np.flatnonzero(new)[0]]
    ratios = ((-(2**62), 40.0),)
    devices = MeterDevices(
        "m",
        (
            Device(until_ms=at, final=40 * float(shown(np.array([at]), "daily")[0]), ratios=ratios),
            Device(from_ms=at, initial=0.0, ratios=ratios),
        ),
        resets="daily",
        zone=ZONE,
    )
    days = by_day(times, values, devices)
    edges = START_MS + np.arange(1, DAYS - 1, dtype=np.int64) * DAY_MS
    assert days.amount == pytest.approx(40 * np.diff(total(edges)), rel=0.05)
    assert days.coverage.min() == 1


@pytest.mark.parametrize("resets", ["daily", "monthly"])
@pytest.mark.parametrize("step_ms", [HOUR_MS, 4 * HOUR_MS])
def test_a_stable_window_has_the_same_digits(resets: Resets, step_ms: int) -> None:
    times = readings(step_ms)
    values = shown(times, resets)
    devices = MeterDevices("m", resets=resets, zone=ZONE)
    whole = believed_register(times, values, devices)
    for first in range(0, 30, 7):
        window = (START_MS + first * DAY_MS, START_MS + (first + 25) * DAY_MS)
        part = slice(*np.searchsorted(times, window))
        register = believed_register(times[part], values[part], devices, window)
        assert register.stable_ms is not None
        edges = np.arange(*register.stable_ms, HOUR_MS, dtype=np.int64)
        for ours, theirs in zip(
            (consumption_between(register, edges), consumption_between(whole, edges)),
            (consumption_between(whole, edges), consumption_between(register, edges)),
            strict=True,
        ):
            np.testing.assert_array_equal(ours.amount, theirs.amount)
            np.testing.assert_array_equal(ours.estimated, theirs.estimated)
