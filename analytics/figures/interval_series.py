"""Series of consumption by interval, for indicators that need more than daily sums.

Law: the function of an indicator states the series that it needs, and receives exactly these. Other
series are not read.
"""

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.periods import Interval
from jieneng.metering.quantities import Medium

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HOURS: Final = {"15min": 0.25, "hour": 1.0, "day": 24.0}


class SeriesNeed(msgspec.Struct, frozen=True):
    """A series that the function of an indicator needs in addition to the daily sums.

    Attributes:
        medium: medium of the consumption.
        interval: length of the intervals.
    """

    medium: Medium
    interval: Interval

    @property
    def hours(self) -> float:
        """Usual length of an interval [h]; on days with a clock change it may differ."""
        return _HOURS[self.interval]


class IntervalSeries(msgspec.Struct, frozen=True):
    """A scope's consumption by interval, in arrays of shape (n,).

    Attributes:
        starts_ms: start of each interval [UTC, ms], ascending. An interval ends when the next one
            starts.
        amount: consumption [kWh, m3 or GJ]; NaN if nothing is stored.
        coverage: share of the meters' time without gaps, 0 to 1; 0 if nothing is stored.
        estimated: part of `amount` that was distributed over gaps between readings.
    """

    starts_ms: "NDArray[np.int64]"
    amount: "NDArray[np.float64]"
    coverage: "NDArray[np.float64]"
    estimated: "NDArray[np.float64]"

    def between(self, start_ms: int, end_ms: int) -> "IntervalSeries":
        """Return the intervals that start in `start_ms <= time < end_ms`."""
        chosen = slice(*np.searchsorted(self.starts_ms, (start_ms, end_ms)).tolist())
        return IntervalSeries(*(column[chosen] for column in msgspec.structs.astuple(self)))

    def mean_coverage(self) -> float:
        """Return the mean coverage of all intervals; NaN if the series has no interval."""
        return float(self.coverage.mean()) if len(self.coverage) else np.nan

    def estimated_share(self) -> float:
        """Return the share of the consumption that was distributed over gaps, 0 to 1."""
        total = float(np.nansum(np.abs(self.amount)))
        return min(float(np.nansum(np.abs(self.estimated))) / total, 1.0) if total else 0.0
