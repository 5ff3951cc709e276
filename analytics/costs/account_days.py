"""Compute the daily cost of an account's consumption, for the account and each meter below it.

Laws:

1. The cost of a meter is its own consumption in each price period, at the account's prices. If the
   tariff has steps, each unit costs an average price: that of the account, over those days of the
   month that are added up. If meters together measure the whole consumption of the account, their
   costs add up to the account's cost of energy. The costs of days add up to the cost of the month.
2. If a necessary price of a day is unknown, the cost of the day is unknown (NaN).
3. The charge for demand belongs to the account. Each day of a month has the same share of the
   month's demand, at the price of the day.

Pure: amounts and prices in, arrays out.
"""

import math
from collections.abc import Sequence
from datetime import date
from functools import cached_property, partial
from itertools import groupby
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.costs.account_members import AccountMembers
from analytics.costs.period_amounts import PeriodAmounts
from analytics.costs.unmeasured_times import UnmeasuredTimes, joined_times
from analytics.periods import months_later
from analytics.tariffs.account_plan import AccountPlan
from analytics.tariffs.demand_charge import month_charge
from analytics.tariffs.price_periods import FLAT
from analytics.tariffs.step_prices import amount_before, average_price
from analytics.tariffs.tariff import Price
from jieneng.metering.quantities import PRICE_PERIODS

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Smallest share of the quarter hours of a month whose demand must be measured.
LEAST_DEMAND_KNOWN: Final = 0.95


class AccountDays(msgspec.Struct, frozen=True, dict=True):  # dict, for cached properties
    """Consumption and cost of an account by day.

    Attributes:
        plan: prices of the account on each day; for a tariff with steps, the account's average
            price of the day.
        meters: ids of the account's own meters and of the meters below them.
        own: shape (meters, days): True if the account bills the meter on the day.
        is_member: shape (meters, days): True if the account bills the meter, or one above it.
        amount: shape (meters, days, periods), known consumption [kWh, m3 or GJ].
        estimated: shape (meters, days), part that was distributed over gaps or not read.
        known: shape (meters, days), share of the day of which the consumption is known, 0 to 1.
        unmeasured: consumption whose price depends on hours that are not measured.
        demand_yuan: shape (days,), charge for demand [yuan]; NaN if it is unknown.
        demand_known: shape (days,), share of the quarter hours whose demand was measured; 1 if the
            charge does not depend on it.
    """

    plan: AccountPlan
    meters: tuple[str, ...]
    own: "NDArray[np.bool_]"
    is_member: "NDArray[np.bool_]"
    amount: "NDArray[np.float64]"
    estimated: "NDArray[np.float64]"
    known: "NDArray[np.float64]"
    unmeasured: UnmeasuredTimes
    demand_yuan: "NDArray[np.float64]"
    demand_known: "NDArray[np.float64]"

    @cached_property
    def own_amount(self) -> "NDArray[np.float64]":
        """Consumption that the supplier bills, by day and price period."""
        found: NDArray[np.float64] = np.where(self.own[:, :, None], self.amount, 0.0).sum(axis=0)
        return found

    def has_open_demand(self, span: slice) -> bool:
        """Return True if demand that is not measured may exceed the contract and be charged."""
        is_short = self.demand_known[span] < LEAST_DEMAND_KNOWN
        return bool((is_short & np.isfinite(self.demand_yuan[span])).any())

    def costs(self, span: slice) -> "NDArray[np.float64]":
        """Return the cost of each meter, day of a span and price period [yuan] (laws 1 and 2).

        An unknown price gives NaN.
        """
        prices, amount = self.plan.prices[span].copy(), self.amount[:, span]
        own = self.own_amount[span].sum(axis=1)
        for (_, row), of_month in groupby(range(len(own)), partial(_month_and_price, self, span)):
            days = list(of_month)
            if row is not None and row.steps and own[days].sum() > 0:
                prices[days, FLAT] = own[days] @ prices[days, FLAT] / own[days].sum()
        return np.where(amount == 0, 0.0, amount * prices)


def _month_and_price(days: AccountDays, span: slice, number: int) -> tuple[date, Price | None]:
    """Return the month and the price of a day of a span."""
    day, row = days.plan.days[span][number], days.plan.price_rows[span][number]
    return day.replace(day=1), row


def account_days(
    plan: AccountPlan, members: AccountMembers, windows: Sequence[PeriodAmounts]
) -> AccountDays:
    """Return the consumption and cost of an account on the days of its plan.

    Args:
        plan: prices of the account on each day.
        members: the meters of the account on the days of the plan.
        windows: consumption of successive windows that
            together have all days of the plan.
    """
    meters = tuple(dict.fromkeys(meter for window in windows for meter in window.meters))
    size = len(plan.days)
    shape = len(meters), size
    amount = np.zeros((*shape, len(PRICE_PERIODS)))
    estimated, known = np.zeros(shape), np.zeros(shape)
    unmeasured = []
    demand_kw, demand_known = np.full(size, np.nan), np.zeros(size)
    for window in windows:
        rows = [meters.index(meter) for meter in window.meters]
        span = slice(window.first, window.first + len(window.demand_kw))
        amount[rows, span] = window.amount
        estimated[rows, span] = window.estimated
        known[rows, span] = window.known
        unmeasured.append(window.unmeasured.moved(np.array(rows, dtype=np.int64)))
        demand_kw[span], demand_known[span] = window.demand_kw, window.demand_known
    of_meters = members.of(meters)
    own = of_meters.own(amount.sum(axis=2))
    priced = _with_step_prices(plan, np.where(own, amount.sum(axis=2), 0.0).sum(axis=0))
    demand_yuan, demand_known = _demand(plan, demand_kw, demand_known)
    return AccountDays(
        priced,
        meters,
        own,
        of_meters.is_member,
        amount,
        estimated,
        known,
        joined_times(unmeasured),
        demand_yuan,
        demand_known,
    )


def _with_step_prices(plan: AccountPlan, amount: "NDArray[np.float64]") -> AccountPlan:
    """Return the plan in which prices with steps are replaced by the account's average of the day.

    Args:
        plan: prices of the account on each day.
        amount: shape (days,), consumption of the account.
    """
    prices = plan.prices.copy()
    for tariff, of_tariff in groupby(range(len(plan.days)), plan.tariffs.__getitem__):
        numbers = list(of_tariff)
        if tariff is None or tariff.resets is None:
            continue
        before = amount_before([plan.days[one] for one in numbers], amount[numbers], tariff.resets)
        for number, so_far in zip(numbers, before.tolist(), strict=True):
            row = plan.price_rows[number]
            if row is not None and row.steps:
                prices[number, FLAT] = average_price(row.steps, so_far, float(amount[number]))
    return msgspec.structs.replace(plan, prices=prices)


def _demand(
    plan: AccountPlan, demand_kw: "NDArray[np.float64]", measured: "NDArray[np.float64]"
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Return the charge for demand of each day [yuan], and the share of it that is measured.

    Args:
        plan: prices of the account on each day.
        demand_kw: shape (days,), greatest demand of each
            day; NaN if unknown.
        measured: shape (days,), share of the quarter hours whose demand was measured.
    """
    yuan, known = np.zeros(len(plan.days)), np.ones(len(plan.days))
    for _, of_month in groupby(range(len(plan.days)), lambda one: plan.days[one].replace(day=1)):
        span = list(of_month)
        first = plan.days[span[0]].replace(day=1)
        demand = plan.demand_on(first)
        if demand is None:
            continue
        if demand.basis != "capacity":
            known[span] = measured[span].mean()
        is_known = known[span[0]] >= LEAST_DEMAND_KNOWN
        greatest_kw = float(np.fmax.reduce(demand_kw[span])) if is_known else math.nan
        size = (months_later(first, 1) - first).days
        for number in span:
            tariff, price = plan.tariffs[number], plan.price_rows[number]
            charge = math.nan
            if tariff is not None and price is not None:
                charge = month_charge(demand, tariff, price, greatest_kw)
            yuan[number] = charge / size
    return yuan, known
