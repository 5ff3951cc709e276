"""Compute the cost of consumption whose price rises in steps (阶梯价格), for gas and water.

Laws:

1. A step applies to the consumption since the last reset that lies above its amount. The cost of a
   day is the cost of all consumption since the reset, less the cost of what came before the day.
2. The costs of days add up to the cost of their sum, as long as prices do not change.

Pure: arrays in, arrays out.
"""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Literal

import numpy as np

from analytics.tariffs.tariff import PriceStep

if TYPE_CHECKING:
    from numpy.typing import NDArray


def stepped_cost(
    steps: Sequence[PriceStep], before: "NDArray[np.float64]", amount: "NDArray[np.float64]"
) -> "NDArray[np.float64]":
    """Return the cost of amounts [yuan].

    Args:
        steps: steps in ascending order, the first one above 0.
        before: shape (n,), amount since the reset that came before each amount.
        amount: shape (n,), amounts in the unit of the steps.
    """

    def cost_until(total: "NDArray[np.float64]") -> "NDArray[np.float64]":
        lower = np.array([step.above for step in steps])
        upper = np.array([*lower[1:], np.inf])
        prices = np.array([step.price for step in steps])
        inside = np.clip(total[:, np.newaxis], lower, upper) - lower
        cost: NDArray[np.float64] = inside @ prices
        return cost

    return cost_until(before + amount) - cost_until(before)


def amount_before(
    days: Sequence[date], amount: "NDArray[np.float64]", resets: Literal["monthly", "yearly"]
) -> "NDArray[np.float64]":
    """Return the amount from the last reset to the start of each day.

    Args:
        days: consecutive local days, of which the first one should be a day of a reset.
        amount: shape (days,), amount of each day.
        resets: reset at the first day of each month or year.
    """
    is_reset = np.array([day.day == 1 and (resets == "monthly" or day.month == 1) for day in days])
    is_reset[:1] = True
    counted = np.cumsum(amount) - amount
    group = np.cumsum(is_reset) - 1
    before: NDArray[np.float64] = counted - counted[is_reset][group]
    return before
