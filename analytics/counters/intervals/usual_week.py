"""Compute the usual consumption of a meter: its mean by local hour of the week. Pure.

The means are computed for the weeks before a given time. Example: a meter has hourly readings, and
the given time is Monday 8 January, 10:00. On the four Mondays before, the meter consumed 4, 5, 6
and 5 kWh from 10:00 to 11:00. So the mean of this hour of the week is 5 kWh.

Laws:

1. Only readings in `HISTORY_MS` before the given time count.
2. Only measured hours count. A measured hour is complete, no two readings in it are further apart
   than 65 min, and its register was neither estimated nor started again. So an hour in another gap,
   or between two daily readings by hand, does not count.
3. The mean of an hour of the week is known if this hour was measured at least twice.
4. The second profile is coarser: the means of the hours of the day, of Monday to Friday and of the
   weekend. A mean is known if at least two of its hours were measured. So it is known after a few
   days.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from analytics.counters.intervals.edge_search import interpolated, readings_around
from analytics.counters.intervals.local_hours import WEEK_HOURS, LocalHours
from analytics.counters.intervals.overlaps import overlapped
from analytics.counters.meter_devices import HOUR_MS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analytics.counters.intervals.register_line import RegisterLine

#: Number of hours from which the means are taken: four weeks.
_HOURS: Final = 4 * WEEK_HOURS
#: Longest distance of two readings in a measured hour [ms]: an hour, and some jitter.
_FAR_MS: Final = HOUR_MS + 300_000
#: Time in which readings can affect a profile [ms]: four weeks of complete hours, the incomplete
#: hour after them, and the reading before them.
HISTORY_MS: Final = (_HOURS + 1) * HOUR_MS + _FAR_MS
#: Smallest number of measured hours that have a known mean.
_SEEN: Final = 2
#: Number of days from Monday to Friday.
_WORKDAYS: Final = 5
#: Number of given times that are computed together, to limit the memory needed.
_AT_ONCE: Final = 256


class UsualWeeks(NamedTuple):
    """The profiles before some times, each of shape (times, 168).

    Attributes:
        by_week: mean consumption by hour of the week [kWh, m3 or GJ]; NaN if unknown.
        by_day: mean consumption by hour of the day, repeated for each day from Monday to Friday and
            for both days of the weekend [kWh, m3 or GJ]; NaN if unknown.
    """

    by_week: "NDArray[np.float64]"
    by_day: "NDArray[np.float64]"


def usual_weeks(
    line: "RegisterLine", moments_ms: "NDArray[np.int64]", hours: LocalHours
) -> UsualWeeks:
    """Return the profiles of a meter before each of some times.

    Args:
        line: line of the register.
        moments_ms: shape (times,), at least one [UTC, ms].
        hours: local hours, from `HISTORY_MS` before the first time to the last one.
    """
    end = hours.edges_ms.searchsorted(moments_ms, side="right") - 1
    low = int(end.min()) - _HOURS
    edges = hours.edges_ms[low : int(end.max()) + 1]
    around = readings_around(line.times_ms, edges)
    shown = interpolated(line.times_ms, line.stored, edges, around)
    counted = _is_measured(line, edges).astype(np.float64)
    amount = counted * np.maximum(np.diff(shown), 0.0)
    parts = [
        _means(amount, counted, hours.of_week[low:], end[first : first + _AT_ONCE] - low)
        for first in range(0, len(end), _AT_ONCE)
    ]
    return UsualWeeks(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _is_measured(line: "RegisterLine", edges_ms: "NDArray[np.int64]") -> "NDArray[np.bool_]":
    """Return True for each measured hour between edges (law 2)."""
    times = line.times_ms
    around = slice(
        max(int(times.searchsorted(edges_ms[0], side="right")) - 1, 0),
        int(times.searchsorted(edges_ms[-1])) + 1,
    )
    if len(line.inserted):
        is_read = np.ones(len(times), dtype=np.bool_)
        is_read[line.inserted] = False
        read = times[around][is_read[around]]
    else:
        read = times[around]
    distance = np.diff(read)
    far, new_count = np.flatnonzero(distance > _FAR_MS), np.flatnonzero(distance == 0)
    other = ~line.known | line.estimated
    start = [edges_ms[:1], read[far], read[new_count] - 1, line.edges_ms[:-1][other], times[-1:]]
    end = [times[:1], read[far + 1], read[new_count] + 1, line.edges_ms[1:][other], edges_ms[-1:]]
    is_complete = np.diff(edges_ms) == HOUR_MS
    is_disturbed = overlapped(edges_ms, np.concatenate(start), np.concatenate(end))
    measured: NDArray[np.bool_] = is_complete & ~is_disturbed
    return measured


def _means(
    amount: "NDArray[np.float64]",
    counted: "NDArray[np.float64]",
    of_week: "NDArray[np.int64]",
    end: "NDArray[np.int64]",
) -> UsualWeeks:
    """Return the profiles before some times, from the measured hours.

    Args:
        amount: shape (hours,), consumption [kWh, m3 or GJ]; 0 if not measured.
        counted: shape (hours,), 1 if measured, otherwise 0.
        of_week: at least `hours` elements, number of each hour in its week.
        end: shape (times,), index after the last hour before each time.
    """
    hour = (end[:, None] - np.arange(_HOURS, 0, -1)).ravel()
    place = np.repeat(np.arange(len(end)) * WEEK_HOURS, _HOURS) + of_week[hour]
    size, shape = len(end) * WEEK_HOURS, (len(end), 7, WEEK_HOURS // 7)
    number, total = (
        np.bincount(place, column[hour], minlength=size).astype(np.float64).reshape(shape)
        for column in (counted, amount)
    )
    by_day = np.empty(shape)
    for days in (slice(0, _WORKDAYS), slice(_WORKDAYS, 7)):
        by_day[:, days] = _mean(total[:, days].sum(1), number[:, days].sum(1))[:, None]
    return UsualWeeks(_mean(total, number).reshape(len(end), -1), by_day.reshape(len(end), -1))


def _mean(total: "NDArray[np.float64]", number: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Return means from totals and numbers of hours; NaN if unknown (laws 3 and 4)."""
    found: NDArray[np.float64] = np.where(number >= _SEEN, total / np.maximum(number, 1), np.nan)
    return found
