"""Compute a meter's consumption by interval, from its believed register and from imports.

Laws:

1. The register is interpolated at the edges, so the sum of the intervals is what the register
   counted, whatever the gaps. What was counted in a gap is kept, spread evenly over it, and called
   estimated.
2. An interval of which nothing is known is NaN; one of which a part is known has the known part's
   consumption, and a coverage below 1.
3. Where a consumption was imported for some time, it counts, and the register does not.
4. An interval's numbers depend only on the readings between its edges and on those next to them.
   So its digits are the same, whatever window it is computed in.
"""

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analytics.counters.register_segments import BelievedRegister

#: An imported consumption covers its time if it is of no longer time: a month, some days late.
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
        """Make it from (times, values) of lengths [s] and of amounts, as far as both are known."""
        times, of_lengths, of_amounts = np.intersect1d(
            lengths_s[0], amounts[0], assume_unique=True, return_indices=True
        )
        length_ms = np.rint(lengths_s[1][of_lengths] * 1000).astype(np.int64)
        return cls(times, times + length_ms, amounts[1][of_amounts])

    def without_overlaps(self) -> "ImportedConsumption":
        """Return it without the intervals that begin before an earlier one has ended."""
        if len(self.start_ms) == 0:
            return self
        ended = np.maximum.accumulate(self.end_ms)
        free = np.append(True, self.start_ms[1:] >= ended[:-1])
        return ImportedConsumption(self.start_ms[free], self.end_ms[free], self.amount[free])


class Consumption(msgspec.Struct, frozen=True):
    """Consumption by interval, shape (n,) each.

    Attributes:
        amount: in the consumption quantity's unit; NaN where nothing is known.
        coverage: share of the interval's time that is covered, 0 to 1.
        estimated: the part of `amount` that was spread over gaps.
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
        imported: consumption that takes precedence over the register's.
    """
    piece_edges = _piece_edges(register, edges_ms, imported)
    left, right = piece_edges[:-1], piece_edges[1:]
    length = (right - left).astype(np.float64)
    amount, covered = _from_register(register, left, right)
    if imported is not None and len(imported.start_ms):
        amount, covered = _with_imported(imported, left, right, (amount, covered))
    known = np.isfinite(amount)
    counted = np.where(known, amount, 0.0)
    starts = np.searchsorted(piece_edges, edges_ms)[:-1]
    known_in_part = np.logical_or.reduceat(known, starts)
    return Consumption(
        np.where(known_in_part, np.add.reduceat(counted, starts), np.nan),
        np.add.reduceat(np.where(covered, length, 0.0), starts) / np.diff(edges_ms),
        np.add.reduceat(np.where(covered, 0.0, counted), starts),
    )


def _piece_edges(
    register: "BelievedRegister",
    edges_ms: "NDArray[np.int64]",
    imported: ImportedConsumption | None,
) -> "NDArray[np.int64]":
    """Return all edges, and the moments between them at which segment or coverage change."""
    ends = np.diff(register.segment) != 0
    turns = np.diff(register.covered.astype(np.int8)) != 0
    moments = [
        register.times_ms[:1],
        register.times_ms[:-1][ends],
        register.times_ms[1:][ends | turns],
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
) -> "tuple[NDArray[np.float64], NDArray[np.bool_]]":
    """Return what the register counted in each piece (NaN: unknown), and if the piece is covered.

    A piece lies in one segment or in none, as all ends of segments are edges of pieces.
    """
    times, count = register.times_ms, len(register.times_ms)
    if count < 2:
        return np.full(len(left), np.nan), np.zeros(len(left), dtype=np.bool_)
    before = np.searchsorted(times, left, side="right") - 1
    after = np.searchsorted(times, right, side="left")
    inside = (before >= 0) & (after < count)
    before, after = np.where(inside, before, 0), np.where(inside, after, 1)
    inside &= register.segment[before] == register.segment[after]
    before, after = np.where(inside, before, 0), np.where(inside, after, 1)
    amount = _register_at(register, right, after - 1) - _register_at(register, left, before)
    return np.where(inside, amount, np.nan), inside & register.covered[before]


def _register_at(
    register: "BelievedRegister", moments: "NDArray[np.int64]", before: "NDArray[np.int64]"
) -> "NDArray[np.float64]":
    """Return the register at moments between a reading and the next, both included."""
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
    counted: "tuple[NDArray[np.float64], NDArray[np.bool_]]",
) -> "tuple[NDArray[np.float64], NDArray[np.bool_]]":
    """Return the imported consumption of the pieces that have one, else what was counted."""
    interval = np.searchsorted(imported.start_ms, left, side="right") - 1
    within = (interval >= 0) & (right <= imported.end_ms[interval])
    length = imported.end_ms[interval] - imported.start_ms[interval]
    amount = imported.amount[interval] * ((right - left) / length)
    covered = (length <= _LONGEST_COVERED_MS) & np.isfinite(amount)
    return np.where(within, amount, counted[0]), np.where(within, covered, counted[1])
