"""Divide an annual quota, and its remaining amount, among the months of its year.

Laws:

1. A month's part of the quota is its share of the year (`QuotaAmounts.month_shares`). A part of a
   month has the share of its days in the month.
2. The remaining amount is distributed over the days to come, by the shares of their months. If it
   is 0 or less, each month has 0.

Pure: structs in, structs out.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from analytics.figures.figure import rounded
from analytics.figures.indicator_results import IndicatorResult
from analytics.figures.quotas.quota_amounts import months
from analytics.periods import Period

if TYPE_CHECKING:
    from numpy.typing import NDArray


class QuotaMonth(msgspec.Struct, frozen=True, kw_only=True):
    """A month of an annual quota. Amounts are in the unit of the indicator.

    Attributes:
        period: id of the month.
        amount: the month's part of the annual quota.
        allowed: part of `amount` for the days so far.
        used: consumption of the days so far; None if it is unknown, or the month has not begun.
        used_pct: share of `amount` that is used [%].
        remains: amount that remains for the month's days to come; None if there are none.
        remains_per_day: `remains`, divided by these days.
        coverage: share of meter-time of which the consumption is known, 0 to 1.
    """

    period: str
    amount: float | None
    allowed: float | None
    used: float | None
    used_pct: float | None
    remains: float | None
    remains_per_day: float | None
    coverage: float | None


class MonthParts:
    """The months' parts of an annual quota.

    Args:
        year: the year.
        elapsed: its complete days.
        amounts: the quota of each month, shape (12,).
    """

    def __init__(self, year: Period, elapsed: Period, amounts: "NDArray[np.float64]") -> None:
        self._months = months(year)
        self._amounts = amounts
        length = np.array([month.days for month in self._months])
        elapsed_days = np.array([month.until(elapsed.end).days for month in self._months])
        self._days_left = length - elapsed_days
        #: Parts of the quota for the days so far, shape (12,).
        self.allowed = amounts * elapsed_days / length
        self._to_come = amounts - self.allowed

    def months(self, used: Sequence[IndicatorResult], remains: float) -> "list[QuotaMonth]":
        """Return the months.

        Args:
            used: the consumption of each month so far.
            remains: amount of the quota that remains for the days to come.
        """
        to_come = float(self._to_come.sum())
        left = max(remains, 0.0) * self._to_come / to_come if to_come > 0 else 0 * self._to_come
        return [
            QuotaMonth(
                period=month.id,
                amount=rounded(amount),
                allowed=rounded(allowed),
                used=rounded(of_month.value),
                used_pct=rounded(100 * of_month.value / amount) if amount > 0 else None,
                remains=rounded(part) if days_left else None,
                remains_per_day=rounded(part / days_left) if days_left else None,
                coverage=rounded(of_month.coverage),
            )
            for month, amount, allowed, of_month, part, days_left in zip(
                self._months,
                self._amounts.tolist(),
                self.allowed.tolist(),
                used,
                left.tolist(),
                self._days_left.tolist(),
                strict=True,
            )
        ]
