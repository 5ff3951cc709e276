"""Consumption by interval below a day, of meters and of scopes. Pure.

Laws:

1. The function of an indicator states the series that it needs, and receives exactly these. Other
   series are not read.
2. An interval is measured if the readings or imports around it are not much further apart than its
   own length. Other intervals have a share of the consumption of a longer time, so they show
   nothing about peaks and nights.
3. An interval of a scope is measured if it is measured for all meters that count in the scope.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics import periods
from analytics.counters.consumption import Consumption
from analytics.figures.boundary.flows import Flow, FlowKind
from analytics.figures.roll_up import Scope, boundary_weights, roll_up
from analytics.periods import Interval
from jieneng.metering.quantities import Medium

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

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
        is_measured: True for intervals that are measured (laws 2 and 3).
        is_whole: True for intervals in which something is known of each meter that counts.
    """

    starts_ms: "NDArray[np.int64]"
    amount: "NDArray[np.float64]"
    coverage: "NDArray[np.float64]"
    estimated: "NDArray[np.float64]"
    is_measured: "NDArray[np.bool_]"
    is_whole: "NDArray[np.bool_]"

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


class MeterIntervals(msgspec.Struct, frozen=True):
    """Consumption of meters of one medium by interval, in arrays of shape (flows, n).

    Attributes:
        edges_ms: edges of the intervals, shape (n + 1,) [UTC, ms].
        flows: the flow of each row; a meter with an export register has two rows.
        consumption: the consumption [kWh, m3 or GJ].
        is_measured: True for intervals that are measured (law 2).
        from_ms: start of the time whose consumption was divided among intervals; for a measured
            interval, its own start [UTC, ms].
        until_ms: end of that time [UTC, ms].
    """

    edges_ms: "NDArray[np.int64]"
    flows: tuple[Flow, ...]
    consumption: Consumption
    is_measured: "NDArray[np.bool_]"
    from_ms: "NDArray[np.int64]"
    until_ms: "NDArray[np.int64]"

    def of_flow(self, flow: Flow) -> IntervalSeries:
        """Return the series of one row."""
        row = self.flows.index(flow)
        return IntervalSeries(
            self.edges_ms[:-1],
            self.consumption.amount[row],
            self.consumption.coverage[row],
            self.consumption.estimated[row],
            self.is_measured[row],
            np.isfinite(self.consumption.amount[row]),
        )

    def of_scope(
        self, scope: Scope, counted: frozenset[FlowKind], zone: "ZoneInfo"
    ) -> IntervalSeries:
        """Return the series of a scope; all NaN if no row enters into it.

        Args:
            scope: the scope.
            counted: kinds of flows that count.
            zone: time zone of the site.
        """
        days = periods.interval_days(self.edges_ms, zone)
        weight = boundary_weights(scope, self.flows, days, counted)
        total = roll_up(weight, self.consumption)
        return IntervalSeries(
            self.edges_ms[:-1],
            total.amount,
            total.coverage,
            total.estimated,
            (self.is_measured | (weight == 0)).all(axis=0),
            (np.isfinite(self.consumption.amount) | (weight == 0)).all(axis=0),
        )


def joined(parts: Sequence[IntervalSeries]) -> IntervalSeries:
    """Return successive series as one; there must be at least one."""
    columns = zip(*map(msgspec.structs.astuple, parts), strict=True)
    return IntervalSeries(*(np.concatenate(column) for column in columns))
