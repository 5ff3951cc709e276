"""Compute the estimated consumption at the edges of a period.

If an edge of a period lies between two readings, the consumption between them is divided at the
edge, in proportion to time. The smaller part is regarded as estimated; it is called the spread.
Example: a meter is read at 17:00 on the last day of each month. Then only the consumption of the
seven hours up to midnight is estimated, not that of the whole month.

Laws:

1. The spread at an edge is the smaller of the two parts into which the edge divides the consumption
   between two readings, or in an imported interval. It is 0 if a reading lies exactly at the edge,
   or if an imported interval ends there.
2. The spread is also 0 if the two readings are at most two hours apart without a gap, or if the
   imported interval is at most two hours long.
3. If the edge is inside an imported interval, this interval is divided; otherwise the register.
4. The spread at an edge depends only on the two readings, or on the interval, around the edge.
"""

from typing import TYPE_CHECKING, Final

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
    if len(line.inserted):
        read = np.delete(np.arange(len(times)), line.inserted)
        number, is_between = _before(times[read], edges_ms)
        before, after = read[number], read[number + 1]
    else:
        before, is_between = _before(times, edges_ms)
        after = before + 1
    span = line.span(times[before])
    distance = times[after] - times[before]
    is_spread = is_between & (~line.covered[span] | (distance > FAR_MS))
    share = (edges_ms - times[before]) / np.maximum(distance, 1)
    step = np.where(line.known[span], line.stored[after] - line.stored[before], 0.0)
    spread = np.where(is_spread, step * np.minimum(share, 1 - share), 0.0)
    for edge in np.flatnonzero(is_spread & (after > before + 1)).tolist():  # the ratio changed
        sides = _sides(line, int(before[edge]), int(after[edge]), int(edges_ms[edge]))
        spread[edge] = min(sides)
    return spread


def _before(
    times_ms: "NDArray[np.int64]", edges_ms: "NDArray[np.int64]"
) -> "tuple[NDArray[np.intp], NDArray[np.bool_]]":
    """Return the index of the reading before each edge, and True if the edge is between readings.

    An index is at least 0, and at most the last but one.
    """
    number = np.searchsorted(times_ms, edges_ms, side="right") - 1
    before = number.clip(0, len(times_ms) - 2)
    return before, (number == before) & (times_ms[before] < edges_ms)


def _sides(line: "RegisterLine", before: int, after: int, edge_ms: int) -> tuple[float, float]:
    """Return the consumption from a reading to an edge, and from the edge to the next reading.

    CT or PT may change between the two readings. Both parts are 0 if the consumption is unknown.
    """
    times, stored = line.times_ms, line.stored
    known = line.known[line.span(times[before:after])]
    sides = [0.0, 0.0]
    for index in range(before, after):
        start_ms, end_ms = int(times[index]), int(times[index + 1])
        if end_ms == start_ms:  # one count ends and the next one begins
            continue
        if not known[index - before]:
            return 0.0, 0.0
        step = float(stored[index + 1] - stored[index])
        share = min(max((edge_ms - start_ms) / (end_ms - start_ms), 0.0), 1.0)
        sides[0] += step * share
        sides[1] += step * (1 - share)
    return sides[0], sides[1]
