"""Compute a meter's consumption by interval, from its believed register and from imports.

Laws:

1. The register is interpolated at the edges, so the intervals add up to the growth of the register,
   whatever the gaps. Consumption in a gap is kept, spread evenly over it, and called estimated.
2. An interval without known consumption is NaN. An interval that is partly known has the
   consumption of the known part, and a coverage below 1.
3. Imported consumption takes precedence over the register in its time.
4. The numbers of an interval depend only on the readings between its edges and on the nearest ones
   outside. So its digits are the same in every window.
"""

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analytics.counters.register_segments import BelievedRegister

#: Longest imported interval that covers its time [ms]: a month, read some days late.
_LONGEST_COVERED_MS: Final = 35 * 24 * 3_600_000


class ImportedConsumption(msgspec.Struct, frozen=True):
    """Consumption that was imported, by interval.

    Attributes:
        start_ms: shape (n,), start of each interval [UTC, ms], ascending.
        end_ms: shape (n,), end of each interval, not included.
        amount: shape (n,), in the consumption quantity's unit.
    """

    start_ms: "NDArray[np.int64]"
    end_ms: "NDArray[np.int64]"
    amount: "NDArray[np.float64]"

    @classmethod
    def from_columns(
        cls,
        lengths_s: "tuple[NDArray[np.int64], NDArray[np.float64]]",
        amounts: "tuple[NDArray[np.int64], NDArray[np.float64]]",
    ) -> "ImportedConsumption":
        """Return the intervals of which both length [s] and amount are known.

        Args:
            lengths_s: (times [UTC, ms], lengths [s]), each of shape (n,).
            amounts: (times [UTC, ms], amounts), each of shape (m,).
        """
        times, of_lengths, of_amounts = np.intersect1d(
            lengths_s[0], amounts[0], assume_unique=True, return_indices=True
        )
        length_ms = np.rint(lengths_s[1][of_lengths] * 1000).astype(np.int64)
        return cls(times, times + length_ms, amounts[1][of_amounts])

    def without_overlaps(self) -> "ImportedConsumption":
        """Return the intervals that do not begin before an earlier one has ended."""
        if len(self.start_ms) == 0:
            return self
        ended = np.maximum.accumulate(self.end_ms)
        free = np.append(True, self.start_ms[1:] >= ended[:-1])
        return ImportedConsumption(self.start_ms[free], self.end_ms[free], self.amount[free])


class Consumption(msgspec.Struct, frozen=True):
    """Consumption by interval, in arrays of shape (n,).

    Attributes:
        amount: consumption [kWh, m3 or GJ]; NaN where unknown.
        coverage: share of the interval's time that is covered, 0 to 1.
        estimated: part of `amount` that was spread over gaps, or was never read.
    """

    amount: "NDArray[np.float64]"
    coverage: "NDArray[np.float64]"
    estimated: "NDArray[np.float64]"


def consumption_between(
    register: "BelievedRegister",
    edges_ms: "NDArray[np.int64]",
    imported: ImportedConsumption | None = None,
) -> Consumption:
    """Return the consumption between neighbouring edges.

    Args:
        register: the believed register.
        edges_ms: shape (n + 1,), UTC ms, strictly ascending.
        imported: imported consumption, which takes precedence over the register.

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
    return Consumption(
        np.where(is_partly_known, np.add.reduceat(counted, starts), np.nan),
        np.add.reduceat(np.where(covered, length, 0.0), starts) / np.diff(edges_ms),
        np.add.reduceat(np.where(covered & read, 0.0, counted), starts),
    )


def _piece_edges(
    register: "BelievedRegister",
    edges_ms: "NDArray[np.int64]",
    imported: ImportedConsumption | None,
) -> "NDArray[np.int64]":
    """Return all edges, and the times between them at which pieces of different kinds meet."""
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
    """Return the growth of the register in each piece, if it is covered, and if it was read.

    The growth is NaN where unknown.

    A piece lies in one segment or in none, because all ends of segments are edges of pieces.
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
    """Return the interpolated register at times between a reading and the next, both included."""
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
    """Return the imported consumption of each piece, or that of the register if there is none."""
    interval = np.searchsorted(imported.start_ms, left, side="right") - 1
    within = (interval >= 0) & (right <= imported.end_ms[interval])
    length = imported.end_ms[interval] - imported.start_ms[interval]
    amount = imported.amount[interval] * ((right - left) / length)
    covered = (length <= _LONGEST_COVERED_MS) & np.isfinite(amount)
    return (
        np.where(within, amount, counted[0]),
        np.where(within, covered, counted[1]),
        within | counted[2],
    )
