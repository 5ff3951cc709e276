"""Compute the cost of consumption whose price rises in steps (阶梯价格), for gas and water.

Law: a step applies to the part of the consumption since the last reset that lies above its amount.
So the cost of an amount is the cost of all consumption since the reset, less the cost of the
consumption before the amount.

Pure: numbers in, numbers out.
"""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from analytics.tariffs.tariff import PriceStep

if TYPE_CHECKING:
    from numpy.typing import NDArray


def stepped_cost(steps: Sequence[PriceStep], before: float, amount: float) -> float:
    """Return the cost of an amount [yuan].

    Args:
        steps: steps in ascending order, the first one above 0.
        before: earlier amount since the reset.
        amount: the amount, in the unit of the steps.
    """
    return _cost_until(steps, before + amount) - _cost_until(steps, before)


def average_price(steps: Sequence[PriceStep], before: float, amount: float) -> float:
    """Return the average price of an amount; without an amount, the price of the next unit."""
    if amount > 0:
        return stepped_cost(steps, before, amount) / amount
    return [step.price for step in steps if step.above <= before][-1]


def _cost_until(steps: Sequence[PriceStep], total: float) -> float:
    """Return the cost of everything from the reset up to a total [yuan]."""
    limits = [*(step.above for step in steps), float("inf")]
    return sum(
        step.price * max(min(total, upper) - lower, 0.0)
        for step, (lower, upper) in zip(steps, pairwise(limits), strict=True)
    )


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
    before: NDArray[np.float64] = counted - counted[is_reset][np.cumsum(is_reset) - 1]
    return before
