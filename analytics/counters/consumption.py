"""Compute a meter's consumption by interval, from its believed register and from imports.

Laws:

1. The register is interpolated at the edges of intervals. So the consumption of all intervals adds
   up exactly to the growth of the register. Consumption in a gap between readings is distributed
   evenly over the gap, and marked as estimated.
2. If nothing of an interval is known, its consumption is NaN. If only a part is known, the interval
   has the consumption of this part, and a coverage below 1.
3. During imported intervals, the imported consumption is used instead of the register.
4. The numbers of an interval depend only on the readings in it and on the nearest readings before
   and after it. So they are the same in every window.
5. An interval has two shares of time. `bounded` is the share between two readings of one register
   life, or inside an imported interval: the total consumption of this time is known. `coverage` is
   the share without gaps: its distribution over time is known, too.
6. In a period of several intervals, an estimate is needed only at its two edges: `spread_start` of
   the first interval, and `spread_end` of the last one (`edge_spread`).
"""

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from analytics.counters.edge_search import readings_before
from analytics.counters.edge_spread import FAR_MS, spread_over_edges
from analytics.counters.imported_consumption import ImportedConsumption
from analytics.counters.interval_pieces import Known, known_by_pieces
from analytics.counters.register_line import RegisterLine, line_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analytics.counters.register_segments import BelievedRegister


class Consumption(msgspec.Struct, frozen=True):
    """Consumption by interval, in arrays of shape (n,).

    Attributes:
        amount: consumption [kWh, m3 or GJ]; NaN if unknown.
        coverage: share of the interval's time without gaps, 0 to 1 (law 5).
        estimated: part of `amount` that was distributed over gaps, or was never read.
        bounded: share of the interval's time for which the consumption is known, 0 to 1 (law 5).
        spread_start: estimated consumption at the interval's start (`edge_spread`).
        spread_end: estimated consumption at the interval's end (`edge_spread`).
    """

    amount: "NDArray[np.float64]"
    coverage: "NDArray[np.float64]"
    estimated: "NDArray[np.float64]"
    bounded: "NDArray[np.float64]"
    spread_start: "NDArray[np.float64]"
    spread_end: "NDArray[np.float64]"


def zero_where_unknown(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Return values with 0 in place of NaN: what is unknown adds nothing to a sum."""
    filled: NDArray[np.float64] = np.where(np.isnan(values), 0.0, values)
    return filled


def consumption_between(
    register: "BelievedRegister",
    edges_ms: "NDArray[np.int64]",
    imported: ImportedConsumption | None = None,
) -> Consumption:
    """Return the consumption between neighbouring edges.

    Args:
        register: the believed register.
        edges_ms: shape (n + 1,), UTC ms, strictly ascending.
        imported: imported consumption, which is used instead of the register.

    Returns:
        Arrays of shape (n,).
    """
    return consumption_of_line(line_of(register), edges_ms, imported)


def consumption_of_line(
    line: RegisterLine,
    edges_ms: "NDArray[np.int64]",
    imported: ImportedConsumption | None = None,
) -> Consumption:
    """Return the consumption between neighbouring edges, by the line of a register.

    The other arguments and the result are those of `consumption_between`.
    """
    if imported is not None and len(imported.start_ms):
        known = known_by_pieces(line, edges_ms, imported)
        spread = spread_over_edges(line, edges_ms, imported)
    elif len(line.known):
        growth, distance = _growth(line, edges_ms)
        known = _known(line, edges_ms, growth)
        spread = _spread(line, edges_ms, distance)
    else:
        unknown, nothing = np.full(len(edges_ms) - 1, np.nan), np.zeros(len(edges_ms) - 1)
        known = Known(unknown, nothing, nothing, nothing)
        spread = np.zeros(len(edges_ms))
    return Consumption(*known, spread[:-1], spread[1:])


def _growth(
    line: RegisterLine, edges_ms: "NDArray[np.int64]"
) -> "tuple[NDArray[np.float64], NDArray[np.int64]]":
    """Return the growth of the interpolated register, and the distances of readings.

    Returns:
        Growth in each interval, shape (n,), valid for an interval within one known span.
        Time between the readings around each edge [ms], shape (n + 1,).
    """
    times, stored = line.times_ms, line.stored
    before = readings_before(times, edges_ms)
    start, shown, step = times[before], stored[before], stored[1:][before]
    distance = times[1:][before]
    late = np.flatnonzero(edges_ms >= distance)  # at the last reading
    last = step[late]
    distance -= start
    step -= shown
    step *= (edges_ms - start) / np.maximum(distance, 1)
    shown += step
    shown[late] = last
    growth = np.diff(shown)
    # At an edge with two readings, one count ends and the next one begins.
    at_edge = edges_ms.searchsorted(line.edges_ms)
    is_edge = (at_edge > 0) & (at_edge < edges_ms.searchsorted(line.edges_ms, side="right"))
    at_edge = at_edge[is_edge]
    growth[at_edge - 1] = stored[times.searchsorted(edges_ms[at_edge])] - shown[at_edge - 1]
    return growth, distance


def _known(
    line: RegisterLine, edges_ms: "NDArray[np.int64]", growth: "NDArray[np.float64]"
) -> Known:
    """Return what is known of the intervals.

    An interval within one span has the growth of the register. The others, in which a span begins
    or ends, are divided into pieces.
    """
    first, after = (
        edges_ms.searchsorted(line.edges_ms),
        edges_ms.searchsorted(line.edges_ms, side="right"),
    )
    within = first[:-1], after[1:] - 1
    is_certain = line.known & line.covered & ~line.estimated
    amount = np.where(_spread_out(line.known, within, len(growth)), growth, np.nan)
    estimated = np.zeros(len(growth))
    if not is_certain.all():
        is_estimated = _spread_out(line.known & ~is_certain, within, len(growth))
        estimated = np.where(is_estimated, growth, 0.0)
    known = Known(
        amount,
        _spread_out((line.known & line.covered).astype(np.float64), within, len(growth)),
        estimated,
        _spread_out(line.known.astype(np.float64), within, len(growth)),
    )
    divided = np.unique(first[(first == after) & (first > 0) & (first < len(edges_ms))]) - 1
    if len(divided):
        edges = np.unique(np.concatenate([edges_ms[divided], edges_ms[divided + 1]]))
        interval = edges.searchsorted(edges_ms[divided])
        for column, by_pieces in zip(known, known_by_pieces(line, edges), strict=True):
            column[divided] = by_pieces[interval]
    return known


def _spread(
    line: RegisterLine, edges_ms: "NDArray[np.int64]", distance_ms: "NDArray[np.int64]"
) -> "NDArray[np.float64]":
    """Return the spread at each edge: computed only for edges in gaps or far from readings."""
    spread = np.zeros(len(edges_ms))
    is_possible = distance_ms > FAR_MS
    is_gap = line.known & ~line.covered
    if is_gap.any():
        inside = (
            edges_ms.searchsorted(line.edges_ms[:-1], side="right"),
            edges_ms.searchsorted(line.edges_ms[1:]),
        )
        is_possible |= _spread_out(is_gap, inside, len(edges_ms))
    if len(line.inserted):
        is_possible[:] = True
    possible = np.flatnonzero(is_possible)
    if len(possible):
        spread[possible] = spread_over_edges(line, edges_ms[possible])
    return spread


def _spread_out(
    of_spans: "NDArray[Any]", within: "tuple[NDArray[np.intp], NDArray[np.intp]]", size: int
) -> "NDArray[Any]":
    """Return the value of the span for each interval within one span, shape (size,); 0 elsewhere.

    Args:
        of_spans: shape (spans,).
        within: index of the first interval within each span, and index after the last one.
        size: number of intervals.
    """
    bounds = np.maximum.accumulate(np.column_stack(within).ravel().clip(0, size))
    lengths = np.diff(bounds, prepend=0, append=size)
    values = np.zeros(len(lengths), dtype=of_spans.dtype)
    values[1::2] = of_spans
    return np.repeat(values, lengths)
