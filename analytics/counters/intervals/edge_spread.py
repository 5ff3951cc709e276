"""Compute the estimated consumption at the edges of a period.

If an edge of a period lies between two readings, the consumption between them is divided at the
edge, in proportion to time. In a gap, it is divided in proportion to the usual consumption, if this
is known (`profiled_gaps`). The smaller part counts as estimated. It is called the spread.
Example: a meter is read at 17:00 on the last day of each month. Then only the consumption of the
seven hours up to midnight is estimated, not that of the whole month.

Laws:

1. The spread at an edge is the smaller of the two parts into which the edge divides the consumption
   between two readings, or in an imported interval. It is 0 if a reading lies exactly at the edge,
   or if an imported interval ends there.
2. The spread is also 0 if the two readings are at most two hours apart without a gap, or if the
   imported interval is at most two hours long.
3. If the edge is inside an imported interval, this interval is divided; otherwise the register.
4. The spread at an edge depends only on the two readings, or on the interval, around the edge. In a
   gap it also depends on the readings from which the usual consumption was computed.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from analytics.counters.meter_devices import HOUR_MS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analytics.counters.imported_consumption import ImportedConsumption
    from analytics.counters.intervals.register_line import RegisterLine

#: Longest distance of two readings, and longest imported interval, without a spread [ms].
FAR_MS: Final = 2 * HOUR_MS


def spread_over_edges(
    line: "RegisterLine",
    edges_ms: "NDArray[np.int64]",
    imported: "ImportedConsumption | None" = None,
) -> "NDArray[np.float64]":
    """Return the spread at each edge [kWh, m3 or GJ].

    Args:
        line: line of the register.
        edges_ms: shape (n,), UTC ms, ascending.
        imported: imported consumption, without overlaps.

    Returns:
        Shape (n,); 0 if nothing is estimated or nothing is known.
    """
    spread = _over_line(line, edges_ms)
    if imported is None or not len(imported.start_ms):
        return spread
    interval = np.searchsorted(imported.start_ms, edges_ms, side="right") - 1
    start_ms, end_ms = imported.start_ms[interval], imported.end_ms[interval]
    is_touched = (interval >= 0) & (edges_ms <= end_ms)
    length = end_ms - start_ms
    share = (edges_ms - start_ms) / length
    part = np.abs(np.nan_to_num(imported.amount[interval])) * np.minimum(share, 1 - share)
    return np.where(is_touched, np.where(length > FAR_MS, part, 0.0), spread)


def _over_line(line: "RegisterLine", edges_ms: "NDArray[np.int64]") -> "NDArray[np.float64]":
    """Return the spread at each edge, as if there were no imports (laws 1 and 2)."""
    times = line.times_ms
    if len(times) - len(line.inserted) < 2 or not len(line.known):
        return np.zeros(len(edges_ms))
    point, before, after, is_between = _around(line, edges_ms)
    span = line.span(times[before])
    distance = times[after] - times[before]
    is_spread = is_between & (~line.covered[span] | (distance > FAR_MS))
    share = (edges_ms - times[before]) / np.maximum(distance, 1)
    step = np.where(line.known[span], line.stored[after] - line.stored[before], 0.0)
    spread: NDArray[np.float64] = np.where(is_spread, step * np.minimum(share, 1 - share), 0.0)
    divided = np.flatnonzero(is_spread & (after > before + 1) & line.known[span])
    if len(divided):
        spread[divided] = _smaller_side(
            line, edges_ms[divided], *(found[divided] for found in (point, before, after))
        )
    return spread


class _Around(NamedTuple):
    """The points and readings around edges, each of shape (n,).

    Attributes:
        point: index of the last point of the line before each edge or at it; limited so that
            another point follows.
        before: index of the reading before each edge.
        after: index of the reading after each edge.
        is_between: True if the edge is between these two readings.
    """

    point: "NDArray[np.intp]"
    before: "NDArray[np.intp]"
    after: "NDArray[np.intp]"
    is_between: "NDArray[np.bool_]"


def _around(line: "RegisterLine", edges_ms: "NDArray[np.int64]") -> _Around:
    """Return the points and readings around each edge."""
    times, inserted = line.times_ms, line.inserted
    number = np.searchsorted(times, edges_ms, side="right") - 1
    point = number.clip(0, len(times) - 2)
    before, after = point, point + 1
    if len(inserted):  # each run of inserted points lies between two readings
        is_first = np.append(True, np.diff(inserted) > 1)
        is_last = np.append(is_first[1:], True)
        run = np.cumsum(is_first) - 1
        before = _replaced(before, inserted, (inserted[is_first] - 1)[run])
        after = _replaced(after, inserted, (inserted[is_last] + 1)[run])
    return _Around(point, before, after, (number == point) & (times[before] < edges_ms))


def _replaced(
    found: "NDArray[np.intp]", wanted: "NDArray[np.int64]", by: "NDArray[np.int64]"
) -> "NDArray[np.intp]":
    """Return indexes of which some are replaced by others; those to replace are ascending."""
    place = wanted.searchsorted(found).clip(0, len(wanted) - 1)
    replaced: NDArray[np.intp] = np.where(wanted[place] == found, by[place], found)
    return replaced


def _smaller_side(
    line: "RegisterLine",
    edges_ms: "NDArray[np.int64]",
    point: "NDArray[np.intp]",
    before: "NDArray[np.intp]",
    after: "NDArray[np.intp]",
) -> "NDArray[np.float64]":
    """Return the smaller part of the consumption between two readings with points between them.

    At a change of CT or PT, two points have the same time; the step between them is no consumption.

    Args:
        line: line of the register; the consumption between the readings is known.
        edges_ms: shape (n,), UTC ms, ascending.
        point: the last point before each edge or at it.
        before: the reading before each edge.
        after: the reading after it.
    """
    times, stored = line.times_ms, line.stored
    share = (edges_ms - times[point]) / (times[point + 1] - times[point])
    step = stored[point + 1] - stored[point]
    earlier = stored[point] - stored[before] + step * share
    later = step * (1 - share) + stored[after] - stored[point + 1]
    jumps = line.inserted[times[line.inserted + 1] == times[line.inserted]]
    jumped = np.flatnonzero(jumps.searchsorted(before) < jumps.searchsorted(after))
    if len(jumped):
        first, end = int(before[jumped[0]]), int(after[jumped[-1]])
        steps = np.diff(stored[first : end + 1])
        steps[np.diff(times[first : end + 1]) == 0] = 0.0
        at = point[jumped] - first
        earlier[jumped] = _sums(steps, before[jumped] - first, at) + (step * share)[jumped]
        later[jumped] = (step * (1 - share))[jumped] + _sums(steps, at + 1, after[jumped] - first)
    smaller: NDArray[np.float64] = np.minimum(earlier, later)
    return smaller


def _sums(
    steps: "NDArray[np.float64]", first: "NDArray[np.intp]", end: "NDArray[np.intp]"
) -> "NDArray[np.float64]":
    """Return the sum of the steps from each `first` to before `end`; 0 if there are none.

    Each sum is taken by itself, so that its digits depend on no other step.
    """
    bounds = np.column_stack([first, end]).ravel()
    sums = np.add.reduceat(np.append(steps, 0.0), bounds)[::2]
    return np.where(first < end, sums, 0.0)
