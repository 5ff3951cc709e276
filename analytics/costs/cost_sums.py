"""Add up daily costs of meters, with weights, over a span of days.

Laws:

1. The consumption and cost of a meter are added if its weight is +1, and deducted if it is -1.
2. The charge for demand is divided by consumption: in each month, the share of meters in the charge
   is their share in the account's consumption.
3. A meter without any data reduces the coverage as much as an average meter.
4. The possible errors of meters add up, but they have limits. The cost of a day is at least that of
   its whole consumption in the cheapest hours of the day, and at most that in the dearest hours. If
   consumption at an unknown time can lie on several days, these days count as one day.

Pure: arrays in, numbers out.
"""

import math
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np

from analytics.costs.account_days import AccountDays
from analytics.costs.cost_result import CostKind, CostResult
from analytics.costs.unmeasured_times import UnmeasuredTimes, joined_days, possible_errors
from analytics.figures.figure import rounded
from analytics.periods import Period
from analytics.tariffs.price_periods import HALF_HOURS
from jieneng.metering.quantities import CONSUMPTION, PRICE_PERIODS, QUANTITIES, Medium

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Smallest importance of a meter for the coverage, as a share of an average meter's.
_MIN_IMPORTANCE: Final = 0.1


class CostPart(msgspec.Struct, frozen=True):
    """The days and meters of an account that are added up.

    Attributes:
        account: consumption and cost of the account.
        span: the days.
        rows: rows of the meters.
        weight: shape (rows, days of the span): +1, -1 or 0.
    """

    account: AccountDays
    span: slice
    rows: "NDArray[np.int64]"
    weight: "NDArray[np.float64]"

    @property
    def days(self) -> tuple[date, ...]:
        """The local days that are added up."""
        return self.account.plan.days[self.span]

    def cut(self, values: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Return the part's rows and days of an array of the account."""
        found: NDArray[np.float64] = values[self.rows, self.span]
        return found


def cost_part(account: AccountDays, span: slice, weight: "NDArray[np.float64]") -> CostPart:
    """Return the part of an account that weights choose, in shape (meters, days of the span)."""
    rows = np.flatnonzero(weight.any(axis=1))
    return CostPart(account, span, rows, weight[rows])


class CostSums(msgspec.Struct, frozen=True):
    """Consumption and cost of several meters over a span of days. Unknown values are NaN.

    Attributes:
        amounts: shape (periods,), known consumption by price period.
        costs: shape (periods,), cost by price period [yuan].
        estimated: consumption that is estimated.
        unmeasured: consumption whose price period is not measured.
        too_high: amount by which the cost may be too high [yuan].
        too_low: amount by which the cost may be too low [yuan].
        coverage: share of meter-time of which the consumption is known, 0 to 1.
    """

    amounts: "NDArray[np.float64]"
    costs: "NDArray[np.float64]"
    estimated: float
    unmeasured: float
    too_high: float
    too_low: float
    coverage: float

    @property
    def amount(self) -> float:
        """Known consumption."""
        return float(self.amounts.sum())

    @property
    def energy_yuan(self) -> float:
        """Cost of the consumption [yuan]."""
        return float(self.costs.sum())


def cost_sums(parts: Sequence[CostPart]) -> CostSums:
    """Return the sums over all parts; if nothing is known, amounts and costs are unknown."""
    amounts, costs = np.zeros(len(PRICE_PERIODS)), np.zeros(len(PRICE_PERIODS))
    estimated, unmeasured, too_high, too_low = 0.0, 0.0, 0.0, 0.0
    for part in parts:
        cells = part.weight[:, :, np.newaxis]
        amount = (cells * part.cut(part.account.amount)).sum(axis=0)
        costs_of_rows = part.account.costs(part.span)[part.rows]
        cost = np.where(cells == 0, 0.0, cells * costs_of_rows).sum(axis=0)
        amounts += amount.sum(axis=0)
        costs += cost.sum(axis=0)
        estimated += float((np.abs(part.weight) * part.cut(part.account.estimated)).sum())
        errors = _possible_errors(part, amount.sum(axis=1), cost.sum(axis=1))
        too_high, too_low = too_high + errors.too_high, too_low + errors.too_low
        unmeasured += errors.unmeasured
    coverage = _coverage(parts)
    if not coverage > 0:
        amounts, costs = np.full_like(amounts, np.nan), np.full_like(costs, np.nan)
    return CostSums(amounts, costs, estimated, unmeasured, too_high, too_low, coverage)


class _Errors(NamedTuple):
    """Possible errors of the cost of a part."""

    unmeasured: float
    too_high: float
    too_low: float


def _possible_errors(
    part: CostPart, amount: "NDArray[np.float64]", cost: "NDArray[np.float64]"
) -> _Errors:
    """Return by how much the cost of a part may be too high, and too low (law 4) [yuan].

    Args:
        part: the part.
        amount: shape (days,), weighted consumption of each day.
        cost: shape (days,), cost of it [yuan].
    """
    times, weight = _weighted_times(part)
    if not len(weight):
        return _Errors(0.0, 0.0, 0.0)
    plan, start = part.account.plan, part.span.start
    runs = joined_days(times, part.span)
    size, of_run = int(runs[-1]) + 1, runs[times.day - start]
    high, low = possible_errors(plan, times, part.span)
    added, deducted = np.maximum(weight, 0.0), np.maximum(-weight, 0.0)
    too_high = np.bincount(of_run, added * high + deducted * low, size)
    too_low = np.bincount(of_run, added * low + deducted * high, size)
    unmeasured = np.bincount(of_run, np.abs(weight) * times.amount, size)
    total, yuan = np.bincount(runs, amount, size), np.bincount(runs, cost, size)
    firsts = np.flatnonzero(np.diff(runs, prepend=-1)) + start
    ends = np.append(firsts[1:], part.span.stop)
    least, greatest = plan.price_range(firsts * HALF_HOURS, ends * HALF_HOURS)
    most_high = np.where(total > 0, np.maximum(yuan - total * least, 0.0), np.inf)
    most_low = np.where(total > 0, np.maximum(total * greatest - yuan, 0.0), np.inf)
    return _Errors(
        float(np.minimum(unmeasured, np.abs(total)).sum()),
        float(np.fmin(too_high, most_high).sum()),
        float(np.fmin(too_low, most_low).sum()),
    )


def _weighted_times(part: CostPart) -> "tuple[UnmeasuredTimes, NDArray[np.float64]]":
    """Return the part's consumption at unknown hours, and its weights."""
    every, start = part.account.unmeasured, part.span.start
    weight = np.zeros((len(part.account.meters), len(part.days)))
    weight[part.rows] = part.weight
    times = every.chosen((every.day >= start) & (every.day < part.span.stop))
    of_times = weight[times.row, times.day - start]
    return times.chosen(of_times != 0), of_times[of_times != 0]


def own_part(account: AccountDays, span: slice) -> CostPart:
    """Return the part that adds up an account's own meters."""
    return cost_part(account, span, account.own[:, span].astype(np.float64))


def demand_share(part: CostPart) -> float:
    """Return the weighted meters' share in the charge for demand (law 2) [yuan]."""
    account = part.account
    weighted = (part.weight * part.cut(account.amount).sum(axis=2)).sum(axis=0)
    whole = account.own_amount[part.span].sum(axis=1)
    charge = account.demand_yuan[part.span]
    total = 0.0
    for _, month_days in groupby(range(len(part.days)), lambda one: part.days[one].replace(day=1)):
        span = list(month_days)
        account_amount = float(whole[span].sum())
        share = float(weighted[span].sum()) / account_amount if account_amount else 0.0
        total += share * float(charge[span].sum()) if share else 0.0
    return total


def _coverage(parts: Sequence[CostPart]) -> float:
    """Return the coverage, weighted by the mean daily consumption of each meter; NaN if none."""
    known, daily, weight = [], [], []
    for part in parts:
        size = np.abs(part.weight)
        known_share = size * part.cut(part.account.known)
        amount = (size * np.abs(part.cut(part.account.amount)).sum(axis=2)).sum(axis=1)
        known.append(known_share.sum(axis=1))
        weight.append(size.sum(axis=1))
        days = known_share.sum(axis=1)
        daily.append(np.where(days > 0, amount / np.maximum(days, 1e-9), np.nan))
    if not parts or not sum(float(one.sum()) for one in weight):
        return np.nan
    means = np.concatenate(daily)
    usual = float(np.nanmean(means)) if np.isfinite(means).any() else 0.0
    usual = usual if usual > 0 else 1.0
    importance = np.maximum(np.where(np.isnan(means), usual, means), _MIN_IMPORTANCE * usual)
    total = importance * np.concatenate(weight)
    return float((importance * np.concatenate(known)).sum() / total.sum())


def cost_result(
    sums: CostSums,
    demand_yuan: float,
    *,
    kind: CostKind,
    subject: str,
    medium: Medium,
    period: Period,
    last_day: date,
) -> CostResult:
    """Return sums as the cost of a subject in a period, without findings.

    Args:
        sums: consumption and cost.
        demand_yuan: charge for demand [yuan].
        kind: kind of the subject.
        subject: id of the account or scope.
        medium: medium of the consumption.
        period: the period.
        last_day: last day that was added up.
    """
    cost = sums.energy_yuan + demand_yuan
    occurring = [
        (name, float(amount), float(of_period))
        for name, amount, of_period in zip(PRICE_PERIODS, sums.amounts, sums.costs, strict=True)
        if amount and math.isfinite(amount)
    ]
    return CostResult(
        kind=kind,
        id=subject,
        medium=medium,
        unit=QUANTITIES[CONSUMPTION[medium]].unit,
        period=period.id,
        until=None if last_day + timedelta(days=1) == period.end else last_day,
        amount=rounded(sums.amount),
        cost=rounded(cost),
        energy_cost=rounded(sums.energy_yuan),
        demand_cost=rounded(demand_yuan),
        average_price=rounded(cost / sums.amount) if sums.amount else None,
        amounts={name: round(amount, 3) for name, amount, _ in occurring},
        costs={name: rounded(of_period) for name, _, of_period in occurring},
        least=rounded(cost - sums.too_high),
        greatest=rounded(cost + sums.too_low),
        coverage=rounded(sums.coverage),
        estimated=rounded(min(sums.estimated / abs(sums.amount), 1.0) if sums.amount else 0.0),
    )
