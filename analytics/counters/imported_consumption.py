"""Imported consumption of a meter: intervals of any length, each with its consumption.

Law: intervals do not overlap. If an interval begins before the end of an earlier one, it is left
out. A small overlap is regarded as clock drift; then the interval is kept, and its start is moved.
"""

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from jieneng.metering.reading import Quality

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Largest overlap that is regarded as clock drift: as a share of the second interval, and as a time
#: [ms]. Both limits apply.
_LARGEST_DRIFT: Final = 0.1
_LARGEST_DRIFT_MS: Final = 900_000


class ImportedConsumption(msgspec.Struct, frozen=True):
    """Consumption that was imported, by interval.

    Attributes:
        start_ms: shape (n,), start of each interval [UTC, ms], ascending.
        end_ms: shape (n,), end of each interval, not included.
        amount: shape (n,), in the consumption quantity's unit.
        estimated: shape (n,), True if the file marks the amount as estimated.
    """

    start_ms: "NDArray[np.int64]"
    end_ms: "NDArray[np.int64]"
    amount: "NDArray[np.float64]"
    estimated: "NDArray[np.bool_]"

    @classmethod
    def from_columns(
        cls,
        lengths_s: "tuple[NDArray[np.int64], NDArray[np.float64]]",
        amounts: "tuple[NDArray[np.int64], NDArray[np.float64]]",
        qualities: "tuple[NDArray[np.int64], NDArray[np.float64]] | None" = None,
    ) -> "ImportedConsumption":
        """Return the intervals whose length and amount are both known.

        Args:
            lengths_s: (times [UTC, ms], lengths [s]), each of shape (n,).
            amounts: (times [UTC, ms], amounts), each of shape (m,).
            qualities: (times [UTC, ms], flags of `Quality`), each of shape (k,); None for none.
        """
        times, of_lengths, of_amounts = np.intersect1d(
            lengths_s[0], amounts[0], assume_unique=True, return_indices=True
        )
        length_ms = np.rint(lengths_s[1][of_lengths] * 1000).astype(np.int64)
        estimated = np.zeros(len(times), dtype=np.bool_)
        if qualities is not None:
            flags = np.rint(qualities[1]).astype(np.int64)
            estimated = np.isin(times, qualities[0][(flags & Quality.ESTIMATED) != 0])
        return cls(times, times + length_ms, amounts[1][of_amounts], estimated)

    def without_overlaps(self) -> "ImportedConsumption":
        """Return the intervals without those that overlap an earlier one.

        Small overlaps are caused by the drift of a logger's clock: up to a tenth of the interval,
        and up to 15 min. Then the start of the interval is moved to the end of the previous one,
        and its consumption is unchanged.
        """
        if not (self.start_ms[1:] < self.end_ms[:-1]).any():
            return self
        starts_ms, kept, ended_ms = self.start_ms.copy(), [], int(self.start_ms[0])
        for index, (start_ms, end_ms) in enumerate(
            zip(self.start_ms.tolist(), self.end_ms.tolist(), strict=True)
        ):
            drift_ms = min((end_ms - start_ms) * _LARGEST_DRIFT, _LARGEST_DRIFT_MS)
            if ended_ms <= start_ms + drift_ms:
                starts_ms[index] = max(start_ms, ended_ms)
                kept.append(index)
                ended_ms = end_ms
        return ImportedConsumption(
            starts_ms[kept], self.end_ms[kept], self.amount[kept], self.estimated[kept]
        )
