"""Compute consumption piece by piece, for intervals in which the knowledge of it changes.

An interval is divided into pieces at the edges of a register's spans (`register_line`) and of
imported intervals. In a piece the same is known throughout.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analytics.counters.imported_consumption import ImportedConsumption
    from analytics.counters.intervals.register_line import RegisterLine

#: Longest imported interval that counts as covered [ms]: a month that was read some days late.
_LONGEST_COVERED_MS: Final = 35 * 24 * 3_600_000


class Known(NamedTuple):
    """The known part of intervals or pieces, each of shape (n,).

    Attributes:
        amount: consumption [kWh, m3 or GJ]; NaN if unknown.
        covered: share of the time that is covered, 0 to 1.
        estimated: part of the amount that was distributed over gaps, or was never read.
        bounded: share of the time for which the consumption is known, 0 to 1.
    """

    amount: "NDArray[np.float64]"
    covered: "NDArray[np.float64]"
    estimated: "NDArray[np.float64]"
    bounded: "NDArray[np.float64]"


def known_by_pieces(
    line: "RegisterLine",
    edges_ms: "NDArray[np.int64]",
    imported: "ImportedConsumption | None" = None,
) -> Known:
    """Return what is known of the intervals between neighbouring edges.

    Args:
        line: line of the register.
        edges_ms: shape (n + 1,), UTC ms, strictly ascending.
        imported: imported consumption, which is used instead of the register.
    """
    piece_edges = _piece_edges(line, edges_ms, imported)
    left, right = piece_edges[:-1], piece_edges[1:]
    length = (right - left).astype(np.float64)
    amount, covered, read = _from_line(line, left, right)
    if imported is not None:
        amount, covered, read = _with_imported(imported, left, right, (amount, covered, read))
    known = np.isfinite(amount)
    counted = np.where(known, amount, 0.0)
    starts = piece_edges.searchsorted(edges_ms[:-1])
    total_length = edges_ms[1:] - edges_ms[:-1]
    is_partly_known = np.logical_or.reduceat(known, starts)
    return Known(
        np.where(is_partly_known, np.add.reduceat(counted, starts), np.nan),
        np.add.reduceat(np.where(covered, length, 0.0), starts) / total_length,
        np.add.reduceat(np.where(covered & read, 0.0, counted), starts),
        np.add.reduceat(np.where(known, length, 0.0), starts) / total_length,
    )


def _piece_edges(
    line: "RegisterLine",
    edges_ms: "NDArray[np.int64]",
    imported: "ImportedConsumption | None",
) -> "NDArray[np.int64]":
    """Return the edges of the pieces, those of the intervals included."""
    moments = [line.edges_ms]
    if imported is not None:
        moments += [imported.start_ms, imported.end_ms]
    inner = np.concatenate(moments)
    inner = inner[(inner > edges_ms[0]) & (inner < edges_ms[-1])]
    return ascending(np.concatenate([edges_ms, inner]))


def ascending(times_ms: "NDArray[np.int64]") -> "NDArray[np.int64]":
    """Return times in ascending order, each once."""
    ordered = np.sort(times_ms)
    is_first: NDArray[np.bool_] = np.append(True, ordered[1:] != ordered[:-1])
    return ordered[is_first[: len(ordered)]]


def _from_line(
    line: "RegisterLine", left: "NDArray[np.int64]", right: "NDArray[np.int64]"
) -> "tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]":
    """Return three arrays for the pieces: growth of the register, is covered, was read.

    The growth is NaN if unknown.
    """
    if not len(line.known):
        return np.full(len(left), np.nan), *np.zeros((2, len(left)), dtype=np.bool_)
    times, last = line.times_ms, len(line.times_ms) - 2
    span = line.span(left)
    known = (span >= 0) & line.known[span]
    before, after = (
        np.minimum(np.maximum(index - 1, 0), last)
        for index in (times.searchsorted(left, side="right"), times.searchsorted(right))
    )
    growth = _register_at(line, right, after) - _register_at(line, left, before)
    return np.where(known, growth, np.nan), known & line.covered[span], ~line.estimated[span]


def _register_at(
    line: "RegisterLine", moments: "NDArray[np.int64]", before: "NDArray[np.int64]"
) -> "NDArray[np.float64]":
    """Return the interpolated register at the given times.

    Args:
        line: line of the register.
        moments: the times [UTC, ms].
        before: for each time, the index of the reading before it or at it.
    """
    times, stored = line.times_ms, line.stored
    start, end = times[before], times[before + 1]
    share = (moments - start) / np.maximum(end - start, 1)
    shown = stored[before] + (stored[before + 1] - stored[before]) * share
    exact: NDArray[np.float64] = np.where(moments >= end, stored[before + 1], shown)
    return exact


def _with_imported(
    imported: "ImportedConsumption",
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
