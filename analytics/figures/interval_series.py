"""Consumption by intervals shorter than a day, for indicators that need more than daily sums.

Law: a function states what it needs in its indicator's row, and is given exactly that. What no
indicator needs is not read.
"""

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.periods import Interval
from jieneng.metering.quantities import Medium

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HOURS: Final = {"15min": 0.25, "hour": 1.0, "day": 24.0}


class Need(msgspec.Struct, frozen=True):
    """A series that an indicator's function needs beside the daily sums.

    Attributes:
        medium: the consumption of which medium.
        interval: by which interval.
    """

    medium: Medium
    interval: Interval

    @property
    def hours(self) -> float:
        """The length of an interval [h], but for the last one of a day on which clocks change."""
        return _HOURS[self.interval]


class IntervalSeries(msgspec.Struct, frozen=True):
    """A scope's consumption by interval, shape (n,) each.

    Attributes:
        starts_ms: the start of each interval [UTC, ms], ascending, without gaps.
        amount: in the consumption quantity's unit; NaN where nothing is stored.
        coverage: share of meter-time with accepted readings, 0 to 1; 0 where nothing is stored.
        estimated: the part of `amount` that was spread over gaps.
    """

    starts_ms: "NDArray[np.int64]"
    amount: "NDArray[np.float64]"
    coverage: "NDArray[np.float64]"
    estimated: "NDArray[np.float64]"

    def between(self, start_ms: int, end_ms: int) -> "IntervalSeries":
        """Return the intervals that start in `start_ms <= time < end_ms`."""
        part = slice(*np.searchsorted(self.starts_ms, (start_ms, end_ms)).tolist())
        return IntervalSeries(*(column[part] for column in msgspec.structs.astuple(self)))

    def mean_coverage(self) -> float:
        """Return the share of all its time that is covered; NaN where it has no interval."""
        return float(self.coverage.mean()) if len(self.coverage) else np.nan

    def estimated_share(self) -> float:
        """Return the share of the consumption that was spread over gaps."""
        whole = float(np.nansum(np.abs(self.amount)))
        return min(float(np.nansum(np.abs(self.estimated))) / whole, 1.0) if whole else 0.0
