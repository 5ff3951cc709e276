"""Distribute the consumption in gaps by the meter's own hours of the week. Pure.

The register is read before and after a gap. So the consumption in the gap is known, but its
distribution over time is not.

Example: an office consumes 10 kWh in each hour from 08:00 to 18:00, and 2 kWh in each other hour.
After a gap from 06:00 to 10:00 its register has grown by 36 kWh. The usual consumption of these
four hours is 2, 2, 10 and 10 kWh, 24 kWh together. So the four hours get 3, 3, 15 and 15 kWh.

Laws:

1. A gap longer than an hour is distributed in proportion to the mean consumption of each local hour
   of the week, in the four weeks before the gap (`usual_week`). If the mean of any hour of the gap
   is unknown, or all of them are 0, the means of the hours of the day are used. If these are
   unknown or 0 too, the gap is distributed evenly. Within an hour, the consumption is always
   distributed evenly.
2. The register before and after the gap does not change. So the sum over a gap is exactly the
   growth of the register, and coverage and estimated amounts do not change either.
3. The distribution in a gap depends only on the two readings around it, and on the readings in
   `HISTORY_MS` before it.
4. Gaps in which CT or PT change, or which end with an estimated value, are distributed evenly.
"""

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from analytics.counters.intervals.local_hours import LocalHours, local_hours
from analytics.counters.intervals.usual_week import HISTORY_MS, UsualWeeks, usual_weeks
from analytics.counters.meter_devices import HOUR_MS

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from numpy.typing import NDArray

    from analytics.counters.intervals.register_line import RegisterLine


def profiled_gaps(line: "RegisterLine", moments_ms: "NDArray[np.int64]") -> "NDArray[np.int64]":
    """Return the gaps whose distribution affects the register at some times.

    Args:
        line: line of a register.
        moments_ms: the times [UTC, ms], ascending.

    Returns:
        Indexes of the readings before the gaps, ascending.
    """
    is_gap = line.known & ~line.covered & ~line.estimated
    if not is_gap.any():
        return np.zeros(0, dtype=np.int64)
    times, stored = line.times_ms, line.stored
    first = times.searchsorted(line.edges_ms[:-1][is_gap], side="right") - 1
    count = times.searchsorted(line.edges_ms[1:][is_gap]) - first
    # A span without coverage may contain several gaps in a row.
    before = np.repeat(first, count) + np.arange(count.sum())
    before -= np.repeat(np.cumsum(count) - count, count)
    start, end = times[before], times[before + 1]
    is_long = (end - start > HOUR_MS) & (stored[before + 1] > stored[before])
    is_asked = moments_ms.searchsorted(start, side="right") < moments_ms.searchsorted(end)
    is_read = ~np.isin(before, line.inserted) & ~np.isin(before + 1, line.inserted)
    found: NDArray[np.int64] = before[is_long & is_asked & is_read]
    return found


def history_from_ms(line: "RegisterLine", gaps: "NDArray[np.int64]") -> int | None:
    """Return the time from which readings can affect the distribution of gaps [UTC, ms].

    Args:
        line: line of a register.
        gaps: indexes of the readings before the gaps, ascending.

    Returns:
        None if there is no gap.
    """
    return int(line.times_ms[gaps[0]]) - HISTORY_MS if len(gaps) else None


def with_profiles(
    line: "RegisterLine", gaps: "NDArray[np.int64]", zone: "ZoneInfo"
) -> "RegisterLine":
    """Return a line with further points in some gaps, at local hours.

    Args:
        line: line of a register.
        gaps: indexes of the readings before the gaps, ascending.
        zone: time zone of the site.
    """
    if not len(gaps):
        return line
    start, end = line.times_ms[gaps], line.times_ms[gaps + 1]
    hours = local_hours(int(start[0]) - HISTORY_MS, int(end[-1]), zone)
    parts = _parts(start, end, hours)
    share, is_known = _shares(usual_weeks(line, start, hours), parts)
    first, growth = line.stored[gaps], line.stored[gaps + 1] - line.stored[gaps]
    # The end of each part becomes a point of the line, but the end of the last part was read.
    is_point = is_known[parts.gap]
    is_point[parts.bounds[1:] - 1] = False
    gap = parts.gap[is_point]
    stored = np.minimum(first[gap] + growth[gap] * share[is_point], line.stored[gaps + 1][gap])
    return _with_points(line, gaps[gap] + 1, hours.edges_ms[parts.hour[is_point] + 1], stored)


class _Parts(NamedTuple):
    """The parts of local hours in gaps, in order of time.

    Attributes:
        bounds: shape (gaps + 1,), index of the first part of each gap, and the number of parts.
        gap: shape (parts,), number of the gap.
        hour: shape (parts,), index of the local hour.
        of_week: shape (parts,), number of the hour in its week.
        length_ms: shape (parts,), length of the part [ms].
    """

    bounds: "NDArray[np.int64]"
    gap: "NDArray[np.int64]"
    hour: "NDArray[np.int64]"
    of_week: "NDArray[np.int64]"
    length_ms: "NDArray[np.int64]"


def _parts(start_ms: "NDArray[np.int64]", end_ms: "NDArray[np.int64]", hours: LocalHours) -> _Parts:
    """Return the parts of local hours in gaps, from the start and end of each gap [UTC, ms]."""
    edges = hours.edges_ms
    first = edges.searchsorted(start_ms, side="right") - 1
    count = edges.searchsorted(end_ms) - first
    bounds = np.append(0, np.cumsum(count))
    gap = np.repeat(np.arange(len(count)), count)
    hour = np.arange(bounds[-1]) + (first - bounds[:-1])[gap]
    length = np.minimum(edges[hour + 1], end_ms[gap]) - np.maximum(edges[hour], start_ms[gap])
    return _Parts(bounds, gap, hour, hours.of_week[hour], length)


def _shares(usual: UsualWeeks, parts: _Parts) -> "tuple[NDArray[np.float64], NDArray[np.bool_]]":
    """Return the share of a gap's consumption up to the end of each part (law 1).

    Args:
        usual: usual consumption before the gaps.
        parts: parts of the gaps.

    Returns:
        The shares, shape (parts,), 0 to 1, never falling within a gap; and a mask, shape (gaps,),
        False for gaps that are distributed evenly.
    """
    share = np.zeros(len(parts.gap))
    is_known = np.zeros(len(parts.bounds) - 1, dtype=np.bool_)
    for means in usual:
        weight = means[parts.gap, parts.of_week] * parts.length_ms
        for gap in np.flatnonzero(~is_known).tolist():
            part = slice(parts.bounds[gap], parts.bounds[gap + 1])
            up_to = weight[part].cumsum()
            if up_to[-1] > 0:  # also False for NaN
                share[part] = up_to / up_to[-1]
                is_known[gap] = True
    return share, is_known


def _with_points(
    line: "RegisterLine",
    places: "NDArray[np.int64]",
    times_ms: "NDArray[np.int64]",
    stored: "NDArray[np.float64]",
) -> "RegisterLine":
    """Return a line with further points that were not read.

    Args:
        line: line of a register.
        places: shape (points,), index of the reading before which each point is placed, ascending.
        times_ms: shape (points,), times of the points [UTC, ms].
        stored: shape (points,), the stored register at the points.
    """
    moved = line.inserted + places.searchsorted(line.inserted, side="right")
    new = places + np.arange(len(places))
    run = np.append(np.flatnonzero(np.diff(places, prepend=-1)), len(places))
    return msgspec.structs.replace(
        line,
        times_ms=_merged(line.times_ms, times_ms, places, run),
        stored=_merged(line.stored, stored, places, run),
        inserted=np.sort(np.concatenate([moved, new])),
    )


def _merged(
    old: "NDArray[Any]", new: "NDArray[Any]", places: "NDArray[np.int64]", run: "NDArray[np.intp]"
) -> "NDArray[Any]":
    """Return an array with new elements, each before the old element at its place.

    The result is that of `numpy.insert`, much faster if many elements share a few places.

    Args:
        old: the array.
        new: shape (points,), new elements.
        places: shape (points,), index of an old element for each new one, ascending.
        run: indexes in `new` at which the place changes; at the end, the number of new elements.
    """
    parts: list[NDArray[Any]] = []
    done = 0
    for first, end in pairwise(run.tolist()):
        place = int(places[first])
        parts += [old[done:place], new[first:end]]
        done = place
    return np.concatenate([*parts, old[done:]])
