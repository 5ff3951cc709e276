"""Recognise a register that is reset to 0 each day, month or year.

Some meters and loggers show the consumption of the day, the month or the year so far. Such a
register falls at each midnight, or each first day of a month or a year, and at no other time.

Laws:

1. A pattern must have two properties. First, at least 80 % of the falls are at the beginning of a
   period, and halve the value at least. Second, at least 80 % of the periods with consumption end
   with a fall. The time of a fall may differ by up to 15 minutes from the beginning of a period.
2. There must be at least six readings a period on average. With fewer, a series of consumption
   values could look like such a register.
3. At least three falls are needed for days and months, and two for years.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from analytics import periods
from analytics.counters.meter_devices import HOUR_MS
from jieneng.metering.site import Resets

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Smallest number of falls in a pattern.
_LEAST_FALLS: Final[Mapping[Resets, int]] = MappingProxyType(
    {"daily": 3, "monthly": 3, "yearly": 2}
)
#: Smallest mean number of readings in a period.
_LEAST_READINGS: Final = 6.0
#: Largest time difference between a fall and the beginning of a period [ms].
_SLACK_MS: Final = HOUR_MS // 4
#: Smallest share of falls at beginnings of periods, and of periods that end in a fall (law 1).
_LEAST_SHARE: Final = 0.8
#: Largest value after a fall, as a share of the value before it.
_GREATEST_REST: Final = 0.5
#: Smallest relative fall. A smaller one is ignored.
_JITTER: Final = 1e-3


class ResetPattern(msgspec.Struct, frozen=True):
    """The regular resets of a register to 0.

    Attributes:
        resets: period of the resets.
        count: number of falls.
        first_ms: time of the reading after the first fall [UTC, ms].
        last_ms: time of the reading after the last fall [UTC, ms].
    """

    resets: Resets
    count: int
    first_ms: int
    last_ms: int


def recognize_resets(
    times_ms: "NDArray[np.int64]", values: "NDArray[np.float64]", zone: ZoneInfo
) -> ResetPattern | None:
    """Return the pattern of a register's resets; None if there is none.

    Args:
        times_ms: shape (n,), UTC ms, ascending.
        values: shape (n,), readings of the register; NaN where unknown.
        zone: time zone in which the register's days begin.
    """
    known = np.isfinite(values) & (values >= 0)
    times, register = times_ms[known], values[known]
    before = np.flatnonzero(register[1:] < register[:-1] * (1 - _JITTER))
    if len(before) < min(_LEAST_FALLS.values()):
        return None
    for resets in _LEAST_FALLS:
        if _is_pattern(resets, times, register, before, zone):
            return ResetPattern(
                resets, len(before), int(times[before[0] + 1]), int(times[before[-1] + 1])
            )
    return None


def reset_moments(
    resets: Resets, start_ms: int, end_ms: int, zone: ZoneInfo
) -> "NDArray[np.int64]":
    """Return the beginnings of the periods in `start_ms <= time <= end_ms` [UTC, ms]."""
    first = periods.local_day(start_ms, zone)
    last = periods.local_day(end_ms, zone) + timedelta(days=1)
    moments = np.array(
        [periods.midnight_ms(day, zone) for day in _begins(resets, first, last)], dtype=np.int64
    )
    return moments[(moments >= start_ms) & (moments <= end_ms)]


def _begins(resets: Resets, first: date, last: date) -> Iterator[date]:
    """Yield the first days of the periods from `first` to `last`."""
    if resets == "daily":
        yield from periods.days(first, last + timedelta(days=1))
        return
    months = 1 if resets == "monthly" else 12
    day = first.replace(day=1) if resets == "monthly" else first.replace(month=1, day=1)
    while day <= last:
        if day >= first:
            yield day
        day = periods.months_later(day, months)


def _is_pattern(
    resets: Resets,
    times: "NDArray[np.int64]",
    register: "NDArray[np.float64]",
    before: "NDArray[np.int64]",
    zone: ZoneInfo,
) -> bool:
    """Return True if a register falls at the beginnings of periods (law 1).

    Args:
        resets: length of the periods.
        times: times of the readings.
        register: the readings.
        before: shape (falls,), index of the reading before each fall.
        zone: time zone of the periods.
    """
    if len(before) < _LEAST_FALLS[resets]:
        return False
    moments = reset_moments(resets, int(times[0]), int(times[-1]) + _SLACK_MS, zone)
    if len(moments) < _LEAST_FALLS[resets] or len(times) < len(moments) * _LEAST_READINGS:
        return False
    fall_start, fall_end = times[before] - _SLACK_MS, times[before + 1] + _SLACK_MS
    nearest = moments[np.searchsorted(moments, fall_start).clip(max=len(moments) - 1)]
    at_begin = (fall_start <= nearest) & (nearest <= fall_end)
    is_deep = register[before + 1] <= register[before] * _GREATEST_REST
    fall = np.searchsorted(fall_end, moments).clip(max=len(before) - 1)
    ends_in_fall = (fall_start[fall] <= moments) & (moments <= fall_end[fall])
    read = np.searchsorted(times, moments, side="left") - 1
    has_flowed = (read >= 0) & (register[read.clip(min=0)] > 0)
    return (
        float(np.mean(at_begin & is_deep)) >= _LEAST_SHARE
        and int(np.count_nonzero(has_flowed)) >= _LEAST_FALLS[resets]
        and float(np.mean(ends_in_fall[has_flowed])) >= _LEAST_SHARE
    )
