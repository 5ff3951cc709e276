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

from analytics.counters.intervals.local_hours import local_hours
from analytics.counters.intervals.usual_week import (
    HISTORY_HOURS,
    HISTORY_MS,
    GapHours,
    means_by_day,
    means_by_week,
)
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
    end = times.searchsorted(line.edges_ms[1:][is_gap])
    # A span without coverage may contain several gaps in a row.
    _, before = _numbered(first, end)
    start, end = times[before], times[before + 1]
    is_long = (end - start > HOUR_MS) & (stored[before + 1] > stored[before])
    is_asked = moments_ms.searchsorted(start, side="right") < moments_ms.searchsorted(end)
    is_read = np.ones(len(times), dtype=np.bool_)
    is_read[line.inserted] = False
    found: NDArray[np.int64] = before[is_long & is_asked & is_read[before] & is_read[before + 1]]
    return found


def history_from_ms(
    line: "RegisterLine", gaps: "NDArray[np.int64]", moved_ms: int = 0
) -> int | None:
    """Return the time from which readings can affect the distribution of gaps [UTC, ms].

    Args:
        line: line of a register.
        gaps: indexes of the readings before the gaps, ascending.
        moved_ms: time by which the line was moved [ms].

    Returns:
        None if there is no gap.
    """
    return int(line.times_ms[gaps[0]]) - moved_ms - HISTORY_MS if len(gaps) else None


class Moved(NamedTuple):
    """The meters of several gaps, whose lines are joined (`joined_lines`).

    Attributes:
        by_ms: shape (meters,), time by which the line of each meter is moved [ms].
        meter: shape (gaps,), number of the meter of each gap.
    """

    by_ms: "NDArray[np.int64]"
    meter: "NDArray[np.intp]"


def with_profiles(
    line: "RegisterLine",
    gaps: "NDArray[np.int64]",
    zone: "ZoneInfo",
    moved: Moved | None = None,
) -> "RegisterLine":
    """Return a line with further points in some gaps, at local hours.

    Args:
        line: line of a register, or the joined lines of several meters. Joined lines lie more than
            `HISTORY_MS` apart.
        gaps: indexes of the readings before the gaps, ascending.
        zone: time zone of the site.
        moved: the meters of the gaps; None if the line is that of one meter.
    """
    if not len(gaps):
        return line
    by_ms, meter = moved or (np.zeros(1, dtype=np.int64), np.zeros(len(gaps), dtype=np.intp))
    start, end = line.times_ms[gaps] - by_ms[meter], line.times_ms[gaps + 1] - by_ms[meter]
    hours = local_hours(int(start.min()) - HISTORY_MS, int(end.max()), zone)
    begin = hours.edges_ms.searchsorted(start, side="right") - 1
    following = hours.edges_ms.searchsorted(end)
    low = int(begin.min()) - HISTORY_HOURS
    hours = hours.part(low, int(following.max()))
    gap, hour = _numbered(begin - low, following - low)
    asked = GapHours(line, by_ms, hours, meter, begin - low, gap, hour)
    length = np.minimum(hours.edges_ms[hour + 1], end[gap])
    length -= np.maximum(hours.edges_ms[hour], start[gap])
    share = _shares(asked, length)
    first, growth = line.stored[gaps], line.stored[gaps + 1] - line.stored[gaps]
    # The end of each part becomes a point of the line, but the end of the last part was read.
    is_point = np.isfinite(share)
    is_point[:-1] &= gap[1:] == gap[:-1]
    is_point[-1] = False
    gap, hour = gap[is_point], hour[is_point]
    stored = np.minimum(first[gap] + growth[gap] * share[is_point], line.stored[gaps + 1][gap])
    return _with_points(line, gaps[gap] + 1, hours.edges_ms[hour + 1] + by_ms[meter[gap]], stored)


def _numbered(
    first: "NDArray[np.intp]", end: "NDArray[np.intp]"
) -> "tuple[NDArray[np.intp], NDArray[np.intp]]":
    """Return all indexes from each `first` to before `end`, and the number of their range."""
    count = end - first
    number = np.repeat(np.arange(len(count)), count)
    index = np.arange(len(number)) + (first - np.cumsum(count) + count)[number]
    return number, index


def _shares(asked: GapHours, length_ms: "NDArray[np.int64]") -> "NDArray[np.float64]":
    """Return the share of a gap's consumption up to the end of each part (law 1).

    Args:
        asked: the gaps, and the hours that they touch.
        length_ms: shape (parts,), length of the part of each hour [ms].

    Returns:
        Shape (parts,): 0 to 1, never falling within a gap; NaN in gaps that are distributed evenly.
    """
    share = np.full(len(asked.gap), np.nan)
    for means in (means_by_week, means_by_day):
        unknown = np.flatnonzero(np.isnan(share))
        if not len(unknown):
            break
        gaps, gap = np.unique(asked.gap[unknown], return_inverse=True)
        rest = asked._replace(
            meter=asked.meter[gaps], begin=asked.begin[gaps], gap=gap, hour=asked.hour[unknown]
        )
        up_to, total = _sums_up_to(means(rest) * length_ms[unknown], gap)
        with np.errstate(invalid="ignore"):
            share[unknown] = np.where(total[gap] > 0, up_to / total[gap], np.nan)
    return share


def _sums_up_to(
    weight: "NDArray[np.float64]", gap: "NDArray[np.intp]"
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Return the sum of the weights in a gap up to the end of each part, and its total.

    Each gap is summed by itself, so that its digits do not depend on the gaps before it.

    Args:
        weight: shape (parts,).
        gap: shape (parts,), number of the gap, ascending.

    Returns:
        Sums, shape (parts,); totals, shape (gaps,).
    """
    bounds = np.append(np.flatnonzero(np.diff(gap, prepend=-1)), len(gap))
    up_to = np.concatenate([weight[first:end].cumsum() for first, end in pairwise(bounds.tolist())])
    return up_to, up_to[bounds[1:] - 1]


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
    is_old = np.ones(len(line.times_ms) + len(new), dtype=np.bool_)
    is_old[new] = False

    def merged(old: "NDArray[Any]", inserted: "NDArray[Any]") -> "NDArray[Any]":
        column = np.empty(len(is_old), dtype=old.dtype)
        column[is_old], column[new] = old, inserted
        return column

    return msgspec.structs.replace(
        line,
        times_ms=merged(line.times_ms, times_ms),
        stored=merged(line.stored, stored),
        inserted=np.sort(np.concatenate([moved, new])),
    )
