"""Divide the consumption of meters into the price periods of each day.

Laws:

1. The amounts of all price periods of all days add up to the known consumption.
2. An interval that was not measured has a share of the consumption of a longer time
   (`MeterIntervals.is_measured`). This share may have been consumed at any hour of the longer time
   (`unmeasured_times`).

Pure: arrays in, arrays out.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from analytics.costs.account_members import AccountMembers
from analytics.costs.unmeasured_times import UnmeasuredTimes, unmeasured_times
from analytics.counters.consumption import zero_where_unknown
from analytics.figures.interval_series import MeterIntervals
from analytics.tariffs.account_plan import DEMAND_INTERVAL, AccountPlan
from jieneng.metering.quantities import PRICE_PERIODS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_QUARTERS: Final = 4  # of an hour
_HALF_HOUR: Final = 30  # minutes


class PeriodAmounts(msgspec.Struct, frozen=True):
    """Consumption of meters by day and price period, in arrays of shape (meters, days, ...).

    Attributes:
        meters: ids of the meters.
        first: number of the first day within the days of the plan.
        amount: shape (meters, days, periods), known consumption [kWh, m3 or GJ].
        estimated: shape (meters, days), part that was distributed over gaps or never read.
        known: shape (meters, days), share of the day of which the consumption is known, 0 to 1.
        unmeasured: consumption whose price depends on hours that are not measured.
        demand_kw: shape (days,), greatest demand of the account's own meters [kW]; NaN if unknown.
        demand_known: shape (days,), share of the quarter hours whose demand was measured, 0 to 1.
    """

    meters: tuple[str, ...]
    first: int
    amount: "NDArray[np.float64]"
    estimated: "NDArray[np.float64]"
    known: "NDArray[np.float64]"
    unmeasured: UnmeasuredTimes
    demand_kw: "NDArray[np.float64]"
    demand_known: "NDArray[np.float64]"


class _DayGrid(msgspec.Struct, frozen=True):
    """The local day of each interval of a window.

    Attributes:
        numbers: shape (intervals,), number of the day within the window.
        size: number of days.
    """

    numbers: "NDArray[np.int64]"
    size: int

    def sums(self, rows: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Return the sums of each row by day; (rows, intervals) in, (rows, days) out."""
        found = [np.bincount(self.numbers, row, self.size) for row in rows]
        return np.array(found, dtype=np.float64).reshape(len(rows), self.size)

    def means(self, rows: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Return the means of each row by day; (rows, intervals) in, (rows, days) out."""
        return self.sums(rows) / np.bincount(self.numbers, minlength=self.size)

    def by_period(
        self, rows: "NDArray[np.float64]", periods: "NDArray[np.int64]"
    ) -> "NDArray[np.float64]":
        """Return the sums of each row by day and price period, (rows, days, periods)."""
        count = len(PRICE_PERIODS)
        cells = self.numbers * count + periods
        found = [np.bincount(cells, row, self.size * count) for row in rows]
        return np.array(found, dtype=np.float64).reshape(len(rows), self.size, count)


def period_amounts(
    plan: AccountPlan, members: AccountMembers, intervals: MeterIntervals, zone: ZoneInfo
) -> PeriodAmounts:
    """Return the consumption of a window's meters by day and price period.

    Args:
        plan: what the account pays; its days contain the window.
        members: the meters of the account on the days of the plan.
        intervals: consumption of the account's meters, and of those below them.
        zone: time zone of the site.
    """
    starts = [datetime.fromtimestamp(ms / 1000, zone) for ms in intervals.edges_ms[:-1].tolist()]
    first = (starts[0].date() - plan.days[0]).days
    days = np.array([(one.date() - plan.days[0]).days for one in starts])
    half_hours = np.array([2 * one.hour + one.minute // _HALF_HOUR for one in starts])
    grid = _DayGrid(days - first, int(days[-1]) - first + 1)
    periods = plan.periods[days, half_hours].astype(np.int64)
    rows = np.flatnonzero([not flow.is_export for flow in intervals.flows])
    meters = tuple(intervals.flows[row].meter.id for row in rows)
    amount, is_measured = intervals.consumption.amount[rows], intervals.is_measured[rows]
    is_known = np.isfinite(amount)
    counted = zero_where_unknown(amount)
    prices = plan.prices[days, periods]
    of_window = members.of(meters, slice(first, first + grid.size))
    own = of_window.own(grid.sums(counted))[:, grid.numbers]
    demand_kw, demand_known = _daily_demand(plan, amount, is_measured, own, grid)
    return PeriodAmounts(
        meters,
        first,
        grid.by_period(counted, periods),
        grid.sums(intervals.consumption.estimated[rows]),
        grid.means(is_known.astype(np.float64)),
        unmeasured_times(plan, intervals, rows, days, prices, zone),
        demand_kw,
        demand_known,
    )


def _daily_demand(
    plan: AccountPlan,
    amount: "NDArray[np.float64]",
    is_measured: "NDArray[np.bool_]",
    own: "NDArray[np.bool_]",
    grid: _DayGrid,
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Return the greatest demand of each day [kW], and the share of intervals that show it.

    `own` is True for the intervals in which the account bills the meter.
    """
    greatest = np.full(grid.size, np.nan)
    if plan.interval != DEMAND_INTERVAL or not own.any():
        return greatest, np.zeros(grid.size)
    is_shown = ~own | (np.isfinite(amount) & is_measured)
    is_certain: NDArray[np.bool_] = np.all(is_shown, axis=0) & own.any(axis=0)
    power_kw = np.where(own, amount, 0.0).sum(axis=0)[is_certain] * _QUARTERS
    np.fmax.at(greatest, grid.numbers[is_certain], power_kw)
    return greatest, grid.means(is_certain[np.newaxis].astype(np.float64))[0]
