"""What a meter consumed in each interval: from its register, and from imported intervals.

Laws:

1. The register is interpolated at the edges, so the sum of the intervals is what the register
   counted, whatever the gaps. What was counted in a gap is kept, spread evenly over it, and called
   estimated.
2. An interval of which nothing is known is NaN; one of which a part is known has the known part's
   consumption, and a coverage below 1.
3. Where a consumption was imported for some time, it counts, and the register does not.
4. An interval's numbers depend only on what lies between its edges, and on the readings next to
   them: the same digits, whatever window it is computed in.
"""

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analytics.counters.register_lives import Accepted

#: An imported consumption covers its time if it is no longer than this: a month, some days late.
_COVERS_AT_MOST_MS: Final = 35 * 24 * 3_600_000


class Imported(msgspec.Struct, frozen=True):
    """Consumption that somebody else computed, by interval.

    Attributes:
        start_ms: shape (n,), ascending, UTC.
        end_ms: shape (n,), not included.
        amount: shape (n,), in the consumption quantity's unit.
    """

    start_ms: "NDArray[np.int64]"
    end_ms: "NDArray[np.int64]"
    amount: "NDArray[np.float64]"

    @classmethod
    def of(
        cls,
        lengths_s: "tuple[NDArray[np.int64], NDArray[np.float64]]",
        amounts: "tuple[NDArray[np.int64], NDArray[np.float64]]",
    ) -> "Imported":
        """From times and values of the lengths and of the amounts, as far as both are known."""
        times, here, there = np.intersect1d(
            lengths_s[0], amounts[0], assume_unique=True, return_indices=True
        )
        length_ms = np.rint(lengths_s[1][here] * 1000).astype(np.int64)
        return cls(times, times + length_ms, amounts[1][there])

    def disjoint(self) -> "Imported":
        """Without those that begin before an earlier one has ended."""
        if len(self.start_ms) == 0:
            return self
        ended = np.maximum.accumulate(self.end_ms)
        free = np.append(True, self.start_ms[1:] >= ended[:-1])
        return Imported(self.start_ms[free], self.end_ms[free], self.amount[free])


class Consumption(msgspec.Struct, frozen=True):
    """By interval, shape (n,) each.

    Attributes:
        amount: in the consumption quantity's unit; NaN where nothing is known.
        coverage: share of the interval's time that is covered, 0 to 1.
        estimated: the part of `amount` that was spread over gaps.
    """

    amount: "NDArray[np.float64]"
    coverage: "NDArray[np.float64]"
    estimated: "NDArray[np.float64]"


def consume(
    accepted: "Accepted", edges_ms: "NDArray[np.int64]", imported: Imported | None = None
) -> Consumption:
    """The consumption between neighbouring edges.

    Args:
        accepted: the believed register.
        edges_ms: shape (n + 1,), strictly ascending.
        imported: consumption that goes before the register's.
    """
    fine = _fine_edges(accepted, edges_ms, imported)
    left, right = fine[:-1], fine[1:]
    length = (right - left).astype(np.float64)
    amount, covered = _counted(accepted, left, right)
    if imported is not None and len(imported.start_ms):
        amount, covered = _replaced(imported, left, right, (amount, covered))
    known = np.isfinite(amount)
    counted = np.where(known, amount, 0.0)
    starts = np.searchsorted(fine, edges_ms)[:-1]
    some = np.logical_or.reduceat(known, starts)
    return Consumption(
        np.where(some, np.add.reduceat(counted, starts), np.nan),
        np.add.reduceat(np.where(covered, length, 0.0), starts) / np.diff(edges_ms),
        np.add.reduceat(np.where(covered, 0.0, counted), starts),
    )


def _fine_edges(
    accepted: "Accepted", edges_ms: "NDArray[np.int64]", imported: Imported | None
) -> "NDArray[np.int64]":
    """All edges, and all moments at which something changes between them."""
    changes = np.diff(accepted.stretch) != 0
    turns = np.diff(accepted.covered.astype(np.int8)) != 0
    moments = [
        accepted.times_ms[:1],
        accepted.times_ms[:-1][changes],
        accepted.times_ms[1:][changes | turns],
        accepted.times_ms[-1:],
    ]
    if imported is not None:
        moments += [imported.start_ms, imported.end_ms]
    inner = np.concatenate(moments)
    inner = inner[(inner > edges_ms[0]) & (inner < edges_ms[-1])]
    fine: NDArray[np.int64] = np.unique(np.concatenate([edges_ms, inner]))
    return fine


def _counted(
    accepted: "Accepted", left: "NDArray[np.int64]", right: "NDArray[np.int64]"
) -> "tuple[NDArray[np.float64], NDArray[np.bool_]]":
    """What the register counted in each piece (NaN: nobody knows), and whether it is covered.

    A piece lies in one stretch or in none, as all ends of stretches are edges of pieces.
    """
    times, count = accepted.times_ms, len(accepted.times_ms)
    if count < 2:
        return np.full(len(left), np.nan), np.zeros(len(left), dtype=np.bool_)
    before = np.searchsorted(times, left, side="right") - 1
    after = np.searchsorted(times, right, side="left")
    inside = (before >= 0) & (after < count)
    before, after = np.where(inside, before, 0), np.where(inside, after, 1)
    inside &= accepted.stretch[before] == accepted.stretch[after]
    before, after = np.where(inside, before, 0), np.where(inside, after, 1)
    amount = _at(accepted, right, after - 1) - _at(accepted, left, before)
    return np.where(inside, amount, np.nan), inside & accepted.covered[before]


def _at(
    accepted: "Accepted", moments: "NDArray[np.int64]", before: "NDArray[np.int64]"
) -> "NDArray[np.float64]":
    """The register at moments that lie between a reading and the next, both included."""
    times, stored = accepted.times_ms, accepted.stored
    start, end = times[before], times[before + 1]
    share = (moments - start) / np.maximum(end - start, 1)
    shown = stored[before] + (stored[before + 1] - stored[before]) * share
    found: NDArray[np.float64] = np.where(moments >= end, stored[before + 1], shown)
    return found


def _replaced(
    imported: Imported,
    left: "NDArray[np.int64]",
    right: "NDArray[np.int64]",
    counted: "tuple[NDArray[np.float64], NDArray[np.bool_]]",
) -> "tuple[NDArray[np.float64], NDArray[np.bool_]]":
    """The imported consumption of the pieces that have one, else what was counted."""
    which = np.searchsorted(imported.start_ms, left, side="right") - 1
    there = (which >= 0) & (right <= imported.end_ms[which])
    length = imported.end_ms[which] - imported.start_ms[which]
    amount = imported.amount[which] * ((right - left) / length)
    covered = (length <= _COVERS_AT_MOST_MS) & np.isfinite(amount)
    return np.where(there, amount, counted[0]), np.where(there, covered, counted[1])
