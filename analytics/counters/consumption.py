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

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.counters.edge_spread import spread_over_edges
from analytics.counters.imported_consumption import ImportedConsumption

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analytics.counters.register_segments import BelievedRegister

#: Longest imported interval that counts as covered [ms]: a month that was read some days late.
_LONGEST_COVERED_MS: Final = 35 * 24 * 3_600_000


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
    piece_edges = _piece_edges(register, edges_ms, imported)
    left, right = piece_edges[:-1], piece_edges[1:]
    length = (right - left).astype(np.float64)
    amount, covered, read = _from_register(register, left, right)
    if imported is not None and len(imported.start_ms):
        amount, covered, read = _with_imported(imported, left, right, (amount, covered, read))
    known = np.isfinite(amount)
    counted = np.where(known, amount, 0.0)
    starts = np.searchsorted(piece_edges, edges_ms)[:-1]
    is_partly_known = np.logical_or.reduceat(known, starts)
    spread = spread_over_edges(register, edges_ms, imported)
    return Consumption(
        np.where(is_partly_known, np.add.reduceat(counted, starts), np.nan),
        np.add.reduceat(np.where(covered, length, 0.0), starts) / np.diff(edges_ms),
        np.add.reduceat(np.where(covered & read, 0.0, counted), starts),
        np.add.reduceat(np.where(known, length, 0.0), starts) / np.diff(edges_ms),
        spread[:-1],
        spread[1:],
    )


def _piece_edges(
    register: "BelievedRegister",
    edges_ms: "NDArray[np.int64]",
    imported: ImportedConsumption | None,
) -> "NDArray[np.int64]":
    """Return the edges of the pieces into which the intervals are divided.

    They are the given edges, and the times at which readings, segments or imported intervals begin
    or end.
    """
    segment_ends = np.diff(register.segment) != 0
    changes = np.diff(register.covered.astype(np.int8)) != 0
    changes |= np.diff(register.estimated.astype(np.int8)) != 0
    moments = [
        register.times_ms[:1],
        register.times_ms[:-1][segment_ends],
        register.times_ms[1:][segment_ends | changes],
        register.times_ms[-1:],
    ]
    if imported is not None:
        moments += [imported.start_ms, imported.end_ms]
    inner = np.concatenate(moments)
    inner = inner[(inner > edges_ms[0]) & (inner < edges_ms[-1])]
    edges: NDArray[np.int64] = np.unique(np.concatenate([edges_ms, inner]))
    return edges


def _from_register(
    register: "BelievedRegister", left: "NDArray[np.int64]", right: "NDArray[np.int64]"
) -> "tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]":
    """Return three arrays for the pieces: growth of the register, is covered, was read.

    The growth is NaN if unknown. A piece lies in one segment or in none, because segments begin and
    end at edges of pieces.
    """
    times, count = register.times_ms, len(register.times_ms)
    if count < 2:
        return np.full(len(left), np.nan), *np.zeros((2, len(left)), dtype=np.bool_)
    before = np.searchsorted(times, left, side="right") - 1
    after = np.searchsorted(times, right, side="left")
    inside = (before >= 0) & (after < count)
    before, after = np.where(inside, before, 0), np.where(inside, after, 1)
    inside &= register.segment[before] == register.segment[after]
    before, after = np.where(inside, before, 0), np.where(inside, after, 1)
    amount = _register_at(register, right, after - 1) - _register_at(register, left, before)
    return (
        np.where(inside, amount, np.nan),
        inside & register.covered[before],
        ~register.estimated[before],
    )


def _register_at(
    register: "BelievedRegister", moments: "NDArray[np.int64]", before: "NDArray[np.int64]"
) -> "NDArray[np.float64]":
    """Return the interpolated register at the given times.

    Args:
        register: the believed register.
        moments: the times [UTC, ms].
        before: for each time, the index of the reading before it or at it.
    """
    times, stored = register.times_ms, register.stored
    start, end = times[before], times[before + 1]
    share = (moments - start) / np.maximum(end - start, 1)
    shown = stored[before] + (stored[before + 1] - stored[before]) * share
    exact: NDArray[np.float64] = np.where(moments >= end, stored[before + 1], shown)
    return exact


def _with_imported(
    imported: ImportedConsumption,
    left: "NDArray[np.int64]",
    right: "NDArray[np.int64]",
    counted: "tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]",
) -> "tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]":
    """Replace the values of pieces inside imported intervals by those of the imports."""
    interval = np.searchsorted(imported.start_ms, left, side="right") - 1
    within = (interval >= 0) & (right <= imported.end_ms[interval])
    length = imported.end_ms[interval] - imported.start_ms[interval]
    amount = imported.amount[interval] * ((right - left) / length)
    covered = (length <= _LONGEST_COVERED_MS) & np.isfinite(amount)
    return (
        np.where(within, amount, counted[0]),
        np.where(within, covered, counted[1]),
        np.where(within, ~imported.estimated[interval], counted[2]),
    )
