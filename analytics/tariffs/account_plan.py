"""Compile the price periods, prices and interval of an account on each day of a span.

Law: a day without a tariff or a published price has unknown prices (NaN).

Pure: tariffs and days in, arrays out.
"""

from collections.abc import Callable, Sequence
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.periods import Interval
from analytics.tariffs.period_prices import period_prices
from analytics.tariffs.price_periods import FLAT, HALF_HOURS, day_periods, has_half_hours
from analytics.tariffs.tariff import Account, DatedDemand, DayType, Price, Tariff, Tariffs
from jieneng.metering.quantities import PRICE_PERIODS, Medium

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Interval of the mean power by which demand is charged.
DEMAND_INTERVAL: Final[Interval] = "15min"


class AccountPlan(msgspec.Struct, frozen=True, dict=True):  # dict, for a cached property
    """Prices and charges of an account by day.

    Attributes:
        account: the account.
        medium: medium of its meters.
        interval: longest interval that has only one price, and in which demand can be measured.
        days: consecutive local days.
        tariffs: tariff of each day; None if none is in force.
        price_rows: price row of each day; None if none is in force.
        periods: shape (days, 48), price period of each half hour, an index of `PRICE_PERIODS`.
        prices: shape (days, periods), price of each price period [yuan per unit]; NaN if it is
            unknown, or depends on the amount (steps).
    """

    account: Account
    medium: Medium
    interval: Interval
    days: tuple[date, ...]
    tariffs: tuple[Tariff | None, ...]
    price_rows: tuple[Price | None, ...]
    periods: "NDArray[np.int8]"
    prices: "NDArray[np.float64]"

    @cached_property
    def half_hour_prices(self) -> "NDArray[np.float64]":
        """Price of each half hour of all days; NaN if it is unknown."""
        periods = self.periods.astype(np.int64)
        found: NDArray[np.float64] = np.take_along_axis(self.prices, periods, axis=1).ravel()
        return found

    def price_range(
        self, first: "NDArray[np.int64]", until: "NDArray[np.int64]"
    ) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
        """Return the lowest and the highest known price of each span of half hours.

        Args:
            first: first half hour of each span, counted from the start of the first day.
            until: half hour after the last one.
        """
        prices = np.append(self.half_hour_prices, np.nan)
        edges = np.column_stack([first, until]).ravel()
        if not len(edges):
            return np.zeros(0), np.zeros(0)
        return np.fmin.reduceat(prices, edges)[::2], np.fmax.reduceat(prices, edges)[::2]

    def span(self, start: date, end: date) -> slice:
        """Return the numbers of the plan's days from `start` to before `end`."""
        first, following = ((day - self.days[0]).days for day in (start, end))
        return slice(*(min(max(one, 0), len(self.days)) for one in (first, following)))

    def demand_on(self, day: date) -> DatedDemand | None:
        """Return how demand is charged on a local day; None if it is not charged."""
        begun = [row for row in self.account.demand if row.from_ <= day]
        return begun[-1] if begun else None


def account_plan(
    account: Account,
    tariffs: Tariffs,
    days: Sequence[date],
    day_type: Callable[[date], DayType],
) -> AccountPlan:
    """Return the price periods and prices of an account on each day.

    Args:
        account: the account.
        tariffs: the tariffs.
        days: consecutive local days.
        day_type: returns the type of a local day.
    """
    of_days = tuple(tariffs.account_tariff(account, day) for day in days)
    rows = tuple(
        None if tariff is None else tariffs.price_on(tariff, day)
        for tariff, day in zip(of_days, days, strict=True)
    )
    unknown = (np.nan,) * len(PRICE_PERIODS)
    known = {
        (tariff.id, row.id): period_prices(tariff, row)
        for tariff, row in zip(of_days, rows, strict=True)
        if tariff is not None and row is not None
    }
    prices = [
        unknown if tariff is None or row is None else known[tariff.id, row.id]
        for tariff, row in zip(of_days, rows, strict=True)
    ]
    return AccountPlan(
        account,
        tariffs.tariffs[account.tariff[0].value].medium,
        _interval(account, tariffs, of_days),
        tuple(days),
        of_days,
        rows,
        _periods(tariffs, days, of_days, day_type),
        np.array(prices).reshape(len(days), len(PRICE_PERIODS)),
    )


def _interval(account: Account, tariffs: Tariffs, of_days: Sequence[Tariff | None]) -> Interval:
    used = {tariff.schedule for tariff in of_days if tariff is not None}
    schedules = [tariffs.schedules[one] for one in used if one is not None]
    has_measured_demand = any(row.basis != "capacity" for row in account.demand)
    if has_measured_demand or any(map(has_half_hours, schedules)):
        return DEMAND_INTERVAL
    return "hour" if schedules else "day"


def _periods(
    tariffs: Tariffs,
    days: Sequence[date],
    of_days: Sequence[Tariff | None],
    day_type: Callable[[date], DayType],
) -> "NDArray[np.int8]":
    """Return the price period of each half hour of each day."""
    found = np.full((len(days), HALF_HOURS), FLAT, dtype=np.int8)
    types = [day_type(day) for day in days]
    for schedule in {tariff.schedule for tariff in of_days if tariff is not None} - {None}:
        chosen = [
            number
            for number, tariff in enumerate(of_days)
            if tariff is not None and tariff.schedule == schedule
        ]
        found[chosen] = day_periods(
            tariffs.schedules[schedule or ""],
            [days[number] for number in chosen],
            [types[number] for number in chosen],
        )
    return found
