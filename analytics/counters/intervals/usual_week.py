"""Compute the usual consumption of a meter: its mean by local hour of the week. Pure.

The means are computed for the weeks before a gap. Example: a meter has hourly readings, and a gap
begins on Monday 8 January, 10:00. On the four Mondays before, the meter consumed 4, 5, 6 and 5 kWh
from 10:00 to 11:00. So the mean of this hour of the week is 5 kWh.

Laws:

1. Only readings in `HISTORY_MS` before the gap count.
2. Only measured hours count. A measured hour is complete, no two readings in it are further apart
   than 65 min, and its register was neither estimated nor started again. So an hour in another gap,
   or between two daily readings by hand, does not count.
3. The mean of an hour of the week is known if this hour was measured at least twice.
4. The second profile is coarser: the means of the hours of the day, of Monday to Friday and of the
   weekend. A mean is known if at least two of its hours were measured. So it is known after a few
   days.
5. Means are computed for all gaps of several meters at once. Each mean has the digits that it has
   alone: its hours are added by themselves, in order of time.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from analytics.counters.intervals.edge_search import interpolated, searched_around
from analytics.counters.intervals.local_hours import WEEK_HOURS, LocalHours
from analytics.counters.intervals.overlaps import overlapped
from analytics.counters.meter_devices import HOUR_MS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analytics.counters.intervals.register_line import RegisterLine

#: Number of hours from which the means are taken: four weeks.
HISTORY_HOURS: Final = 4 * WEEK_HOURS
#: Longest distance of two readings in a measured hour [ms]: an hour, and some jitter.
_FAR_MS: Final = HOUR_MS + 300_000
#: Time in which readings can affect a profile [ms]: four weeks of complete hours, the incomplete
#: hour after them, and the reading before them.
HISTORY_MS: Final = (HISTORY_HOURS + 1) * HOUR_MS + _FAR_MS
#: Smallest number of measured hours that have a known mean.
_SEEN: Final = 2
#: Number of days from Monday to Friday.
_WORKDAYS: Final = 5
#: Index in place of an hour; the hour of this index never counts (`_measured`).
_NO_HOUR: Final = -1
#: Number of gaps whose means by hour of the day are computed together, to limit the memory needed.
_AT_ONCE: Final = 256


class GapHours(NamedTuple):
    """The local hours that gaps touch, and what is known of the meters.

    Attributes:
        line: line of the register, or the joined lines of several meters.
        moved_ms: shape (meters,), time by which the line of each meter is moved [ms].
        hours: local hours, from `HISTORY_HOURS` before the first gap.
        meter: shape (gaps,), number of the meter of each gap.
        begin: shape (gaps,), index of the hour in which the gap begins.
        gap: shape (parts,), number of the gap to which each part of an hour belongs, ascending.
        hour: shape (parts,), index of the hour.
    """

    line: "RegisterLine"
    moved_ms: "NDArray[np.int64]"
    hours: LocalHours
    meter: "NDArray[np.intp]"
    begin: "NDArray[np.intp]"
    gap: "NDArray[np.intp]"
    hour: "NDArray[np.intp]"


def means_by_week(asked: GapHours) -> "NDArray[np.float64]":
    """Return the mean consumption of the same hour of the week before each gap (law 3).

    Returns:
        Shape (parts,) [kWh, m3 or GJ]; NaN if unknown.
    """
    back, begin = asked.hours.back, asked.begin[asked.gap]
    first, hour = begin - HISTORY_HOURS, asked.hour
    while (is_late := hour >= begin).any():
        hour = np.where(is_late, hour - back[hour], hour)
    found = []
    while (is_history := hour >= first).any():
        found.append(np.where(is_history, hour, _NO_HOUR))
        hour = np.where(is_history, hour - back[hour], hour)
    # In order of time (law 5).
    amount, counted = _measured(asked, asked.meter[asked.gap], np.array(found[::-1]))
    return _mean(amount.sum(axis=0), counted.sum(axis=0))


def means_by_day(asked: GapHours) -> "NDArray[np.float64]":
    """Return the mean consumption of the same hour of the day before each gap (law 4).

    Returns:
        Shape (parts,) [kWh, m3 or GJ]; NaN if unknown.
    """
    gaps, of_week = len(asked.begin), asked.hours.of_week
    means = [
        _means_of_days(asked, slice(first, first + _AT_ONCE)) for first in range(0, gaps, _AT_ONCE)
    ]
    found: NDArray[np.float64] = np.concatenate(means)[asked.gap, of_week[asked.hour]]
    return found


def _means_of_days(asked: GapHours, gaps: slice) -> "NDArray[np.float64]":
    """Return the means of the hours of the day before some gaps, shape (gaps, 168).

    They are repeated for each day from Monday to Friday, and for both days of the weekend.
    """
    begin = asked.begin[gaps, None]
    hour = begin - np.arange(HISTORY_HOURS, 0, -1)
    shape = (len(begin), 7, WEEK_HOURS // 7)
    place = np.arange(len(begin))[:, None] * WEEK_HOURS + asked.hours.of_week[hour]
    total, number = (
        np.bincount(place.ravel(), column.ravel(), minlength=len(begin) * WEEK_HOURS).reshape(shape)
        for column in _measured(asked, asked.meter[gaps, None], hour)
    )
    by_day = np.empty(shape)
    for days in (slice(0, _WORKDAYS), slice(_WORKDAYS, 7)):
        by_day[:, days] = _mean(total[:, days].sum(1), number[:, days].sum(1))[:, None]
    return by_day.reshape(len(begin), -1)


def _measured(
    asked: GapHours, meter: "NDArray[np.intp]", hour: "NDArray[np.intp]"
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Return the consumption of hours, and whether they were measured.

    Args:
        asked: what is known of the meters.
        meter: number of the meter, for each hour.
        hour: any shape, index of the hour; `_NO_HOUR` for none.

    Returns:
        Two arrays of the shape of `hour`: consumption [kWh, m3 or GJ], 0 if not measured; and 1 if
        measured, otherwise 0.
    """
    line, width = asked.line, len(asked.hours.edges_ms)
    place = meter * width + hour
    is_edge = np.zeros(len(asked.moved_ms) * width, dtype=np.bool_)
    is_edge[place] = is_edge[place + 1] = True
    edge = np.flatnonzero(is_edge)
    edges_ms = asked.hours.edges_ms[edge % width] + asked.moved_ms[edge // width]
    around = searched_around(line.times_ms, edges_ms)
    shown = interpolated(line.times_ms, line.stored, edges_ms, around)
    amount, counted = np.zeros((2, len(is_edge)))
    counted[edge[:-1]] = _is_measured(line, edges_ms)
    amount[edge[:-1]] = counted[edge[:-1]] * np.maximum(shown[1:] - shown[:-1], 0.0)
    return amount[place], counted[place]


def _is_measured(line: "RegisterLine", edges_ms: "NDArray[np.int64]") -> "NDArray[np.bool_]":
    """Return True for each measured hour between neighbouring edges (law 2).

    Args:
        line: line of the register.
        edges_ms: edges of hours, ascending [UTC, ms]. Between two of them, hours may be left out.
    """
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
    distance = read[1:] - read[:-1]
    far, new_count = np.flatnonzero(distance > _FAR_MS), np.flatnonzero(distance == 0)
    other = ~line.known | line.estimated
    start = [edges_ms[:1], read[far], read[new_count] - 1, line.edges_ms[:-1][other], times[-1:]]
    end = [times[:1], read[far + 1], read[new_count] + 1, line.edges_ms[1:][other], edges_ms[-1:]]
    is_complete = edges_ms[1:] - edges_ms[:-1] == HOUR_MS
    is_disturbed = overlapped(edges_ms, np.concatenate(start), np.concatenate(end))
    measured: NDArray[np.bool_] = is_complete & ~is_disturbed
    return measured


def _mean(total: "NDArray[np.float64]", number: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Return means from totals and numbers of hours; NaN if unknown (laws 3 and 4)."""
    found: NDArray[np.float64] = np.where(number >= _SEEN, total / np.maximum(number, 1), np.nan)
    return found
