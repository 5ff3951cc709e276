"""Compute a meter's consumption by interval, from its believed register and from imports.

Laws:

1. The register is interpolated at the edges of intervals. So the consumption of all intervals adds
   up exactly to the growth of the register. Consumption in a gap between readings is marked as
   estimated. It is distributed by the meter's usual consumption in these hours of the week
   (`profiled_gaps`); if this is unknown, it is distributed evenly.
2. If nothing of an interval is known, its consumption is NaN. If only a part is known, the interval
   has the consumption of this part, and a coverage below 1.
3. During imported intervals, the imported consumption is used instead of the register.
4. The numbers of an interval depend only on the readings in it and on the nearest readings before
   and after it. There is one exception: in a gap longer than an hour they also depend on the
   readings of the four weeks before the gap. If a window has all of these readings, its numbers are
   the same as in every other window.
5. An interval has two shares of time. `bounded` is the share between two readings of one register
   life, or inside an imported interval: the total consumption of this time is known. `coverage` is
   the share without gaps: its distribution over time is known, too.
6. In a period of several intervals, an estimate is needed only at its two edges: `spread_start` of
   the first interval, and `spread_end` of the last one (`edge_spread`).
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from analytics.counters.imported_consumption import ImportedConsumption
from analytics.counters.intervals.edge_search import Around, interpolated, readings_around
from analytics.counters.intervals.edge_spread import FAR_MS, spread_over_edges
from analytics.counters.intervals.interval_pieces import Known, ascending, known_by_pieces
from analytics.counters.intervals.profiled_gaps import profiled_gaps, with_profiles
from analytics.counters.intervals.register_line import RegisterLine, line_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

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
    zone: "ZoneInfo | None" = None,
) -> Consumption:
    """Return the consumption between neighbouring edges.

    Args:
        register: the believed register.
        edges_ms: shape (n + 1,), UTC ms, strictly ascending.
        imported: imported consumption, which is used instead of the register.
        zone: time zone of the site; None to distribute all gaps evenly.

    Returns:
        Arrays of shape (n,).
    """
    line = line_of(register)
    if zone is not None:
        line = with_profiles(line, profiled_gaps(line, divided_at(edges_ms, imported)), zone)
    return consumption_of_line(line, edges_ms, imported)


def divided_at(
    edges_ms: "NDArray[np.int64]", imported: ImportedConsumption | None
) -> "NDArray[np.int64]":
    """Return the times at which the register divides intervals [UTC, ms], ascending.

    Args:
        edges_ms: edges of the intervals [UTC, ms], ascending.
        imported: imported consumption; None for none.
    """
    if imported is None or not len(imported.start_ms):
        return edges_ms
    ends = np.concatenate([imported.start_ms, imported.end_ms])
    inner = ends[(ends > edges_ms[0]) & (ends < edges_ms[-1])]
    return ascending(np.concatenate([edges_ms, inner]))


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
        return Consumption(*known, spread[:-1], spread[1:])
    return consumption_by_edges(line, edges_ms, register_at_edges(line, edges_ms))


class RegisterAtEdges(NamedTuple):
    """A register at the edges of intervals, each of shape (n,).

    Attributes:
        shown: interpolated register [kWh, m3 or GJ]; meaningless where nothing is known. Where one
            count ends and the next one begins, it is the next one.
        spread: estimated consumption (`edge_spread`).
    """

    shown: "NDArray[np.float64]"
    spread: "NDArray[np.float64]"


def register_at_edges(line: RegisterLine, edges_ms: "NDArray[np.int64]") -> RegisterAtEdges:
    """Return the register at edges of intervals, shape (n,), strictly ascending [UTC, ms]."""
    if not len(line.known):
        return RegisterAtEdges(np.zeros(len(edges_ms)), np.zeros(len(edges_ms)))
    around = readings_around(line.times_ms, edges_ms)
    shown = interpolated(line.times_ms, line.stored, edges_ms, around)
    return RegisterAtEdges(shown, _spread(line, edges_ms, around))


def consumption_by_edges(
    line: RegisterLine, edges_ms: "NDArray[np.int64]", at_edges: RegisterAtEdges
) -> Consumption:
    """Return the consumption between neighbouring edges, by the register at these edges."""
    known = _known(line, edges_ms, at_edges.shown)
    return Consumption(*known, at_edges.spread[:-1], at_edges.spread[1:])


def _known(
    line: RegisterLine, edges_ms: "NDArray[np.int64]", shown: "NDArray[np.float64]"
) -> Known:
    """Return what is known of the intervals.

    An interval within one span has the growth of the register. The others, in which a span begins
    or ends, are divided into pieces.
    """
    positions = line.positions(edges_ms)
    first, after = positions
    growth = shown[1:] - shown[:-1]
    is_certain = line.known & line.covered & ~line.estimated
    is_one_span = len(is_certain) == 1 and first[0] == 0 and after[1] == len(edges_ms)
    if is_one_span and is_certain[0]:
        whole, nothing = _constant(1.0, len(growth)), _constant(0.0, len(growth))
        return Known(growth, whole, nothing, whole)
    # At an edge with two readings, one count ends and the next one begins.
    at_edge = first[(first > 0) & (first < after)]
    ends = line.stored[line.times_ms.searchsorted(edges_ms[at_edge])]
    growth[at_edge - 1] = ends - shown[at_edge - 1]
    lengths = _run_lengths(first[:-1], after[1:] - 1, len(growth))
    estimated = np.zeros(len(growth))
    is_estimated = line.known & ~is_certain
    if is_estimated.any():
        estimated = np.where(_laid_out(is_estimated, lengths), growth, 0.0)
    known = Known(
        np.where(_laid_out(line.known, lengths), growth, np.nan),
        _laid_out((line.known & line.covered).astype(np.float64), lengths),
        estimated,
        _laid_out(line.known.astype(np.float64), lengths),
    )
    divided = ascending(first[(first == after) & (first > 0) & (first < len(edges_ms))]) - 1
    if len(divided):
        edges = ascending(np.concatenate([edges_ms[divided], edges_ms[divided + 1]]))
        interval = edges.searchsorted(edges_ms[divided])
        for column, by_pieces in zip(known, known_by_pieces(line, edges), strict=True):
            column[divided] = by_pieces[interval]
    return known


def _spread(
    line: RegisterLine, edges_ms: "NDArray[np.int64]", around: Around
) -> "NDArray[np.float64]":
    """Return the spread at each edge: computed only for edges in gaps or far from readings."""
    is_possible = around.end_ms - around.start_ms > FAR_MS
    is_gap = line.known & ~line.covered
    if is_gap.any():
        positions = line.positions(edges_ms)
        lengths = _run_lengths(positions.after[:-1], positions.first[1:], len(edges_ms))
        is_possible |= _laid_out(is_gap, lengths)
    if len(line.inserted):  # readings may be further apart than points of the line
        is_inserted = np.zeros(len(line.times_ms), dtype=np.bool_)
        is_inserted[line.inserted] = True
        is_possible |= is_inserted[around.before] | is_inserted[1:][around.before]
    possible = np.flatnonzero(is_possible)
    if not len(possible):
        return _constant(0.0, len(edges_ms))
    spread = np.zeros(len(edges_ms))
    spread[possible] = spread_over_edges(line, edges_ms[possible])
    return spread


@lru_cache(maxsize=32)
def _constant(value: float, size: int) -> "NDArray[np.float64]":
    """Return a read-only array of one value. Most meters share it, so it is made only once."""
    constant = np.full(size, value)
    constant.flags.writeable = False
    return constant


def _run_lengths(
    first: "NDArray[np.intp]", end: "NDArray[np.intp]", size: int
) -> "NDArray[np.intp]":
    """Return the lengths of alternating runs: outside of spans, in the first span, outside, ...

    Args:
        first: shape (spans,), index of the first element of each span.
        end: shape (spans,), index after the last one; at most `first` if there is none.
        size: number of elements.
    """
    bounds = np.zeros(2 * len(first) + 2, dtype=np.intp)
    bounds[1:-1:2] = first
    bounds[2:-1:2] = end
    bounds[-1] = size
    np.minimum(bounds, size, out=bounds)
    np.maximum.accumulate(bounds, out=bounds)
    return bounds[1:] - bounds[:-1]


def _laid_out(of_spans: "NDArray[Any]", lengths: "NDArray[np.intp]") -> "NDArray[Any]":
    """Return the value of the span of each element; 0 outside of spans.

    Args:
        of_spans: shape (spans,).
        lengths: result of `_run_lengths`.
    """
    values = np.zeros(len(lengths), dtype=of_spans.dtype)
    values[1::2] = of_spans
    return np.repeat(values, lengths)
