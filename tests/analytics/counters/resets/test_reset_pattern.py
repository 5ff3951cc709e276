"""A register that is reset each midnight, month or year is recognised, and no other register is."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.counters.meter_devices import HOUR_MS
from analytics.counters.resets.reset_pattern import recognize_resets, reset_moments
from jieneng.metering.site import Resets

ZONE = ZoneInfo("Asia/Shanghai")
DAY_MS = 24 * HOUR_MS
START_MS = round(datetime(2024, 12, 30, 9, 7, tzinfo=ZONE).timestamp() * 1000)


def load(times: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a total that has grown by 5 to 30 an hour, less at night."""
    hour = (times // HOUR_MS + 8) % 24
    rate = 5 + 25 * ((hour > 7) & (hour < 19))
    return np.cumsum(rate * np.append(0, np.diff(times)) / HOUR_MS)


def shown(times: NDArray[np.int64], resets: Resets, late_ms: int = 0) -> NDArray[np.float64]:
    """Return what a register shows that begins again with each period."""
    moments = reset_moments(resets, int(times[0]) - 400 * DAY_MS, int(times[-1]), ZONE) + late_ms
    fine = np.arange(int(moments[0]), int(times[-1]) + HOUR_MS, HOUR_MS // 4, dtype=np.int64)
    total = load(fine)
    since = moments[np.searchsorted(moments, times, side="right") - 1]
    return np.round(np.interp(times, fine, total) - np.interp(since, fine, total), 2)


def every(step_ms: int, days: int, start_ms: int = START_MS) -> NDArray[np.int64]:
    return np.arange(start_ms, start_ms + days * DAY_MS, step_ms, dtype=np.int64)


@pytest.mark.parametrize("step_ms", [60_000, HOUR_MS // 4, HOUR_MS, 2 * HOUR_MS])
@pytest.mark.parametrize("late_ms", [0, 4 * 60_000])
def test_each_midnight(step_ms: int, late_ms: int) -> None:
    on_the_hour = START_MS - START_MS % HOUR_MS
    for start_ms in (START_MS, on_the_hour):
        times = every(step_ms, 10, start_ms)
        pattern = recognize_resets(times, shown(times, "daily", late_ms), ZONE)
        assert pattern is not None
        assert (pattern.resets, pattern.count) == ("daily", 10)


@pytest.mark.parametrize(("step_ms", "days"), [(HOUR_MS, 130), (DAY_MS, 130)])
def test_each_month(step_ms: int, days: int) -> None:
    times = every(step_ms, days)
    pattern = recognize_resets(times, shown(times, "monthly"), ZONE)
    assert pattern is not None
    assert (pattern.resets, pattern.count) == ("monthly", 5)


def test_each_year() -> None:
    times = every(DAY_MS, 800)
    pattern = recognize_resets(times, shown(times, "yearly"), ZONE)
    assert pattern is not None
    assert (pattern.resets, pattern.count) == ("yearly", 3)


def test_days_off_and_gaps_do_not_hide_it() -> None:
    times = every(HOUR_MS, 30)
    values = shown(times, "daily")
    values[24 * 5 : 24 * 7] = 0.0
    values[24 * 12 : 24 * 13] = np.nan
    pattern = recognize_resets(times, values, ZONE)
    assert pattern is not None
    assert pattern.resets == "daily"


@pytest.mark.parametrize("step_ms", [HOUR_MS // 4, HOUR_MS, 2 * HOUR_MS, 8 * HOUR_MS, DAY_MS])
def test_consumption_is_no_register(step_ms: int) -> None:
    times = every(step_ms, 60)
    assert recognize_resets(times, np.append(0, np.diff(load(times))), ZONE) is None


def test_a_register_without_such_a_habit() -> None:
    times = every(HOUR_MS, 60)
    values = load(times)
    assert recognize_resets(times, values, ZONE) is None
    values[500:] -= values[500]
    assert recognize_resets(times, values, ZONE) is None
    values[600], values[900], values[1000:] = 0, 1e9, values[1000:] - values[1000]
    assert recognize_resets(times, values, ZONE) is None


def test_nothing_to_judge() -> None:
    none = np.zeros(0)
    assert recognize_resets(none.astype(np.int64), none, ZONE) is None
