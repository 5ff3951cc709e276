"""The daily consumption of a meter, and its division into steps. Pure.

If a register is read each month, all days between two readings have the same rate, because the
consumption was distributed evenly. These days are one observation, not thirty. They are called a
step. The days of a gap are one step, too, though their rates differ if the gap was distributed by
usual consumption (`profiled_gaps`). An example:

    day     1    2    3    4    5    6    7
    rate    10   10   10   14   8    -    9
    step    0    0    0    1    2         3

Laws:

1. Consecutive days with equal rates are one step. A day with unknown consumption ends a step.
2. Consecutive days in one gap are one step, with the mean of their rates. Such days have no covered
   time and no reading, and the midnight between them has an estimate.
3. The resolution of a step is the number of its days. There is one exception: if covered days have
   equal rates for longer than the largest distance of readings, their consumption is really equal.
   Then the resolution is one day.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY_MS: Final = 24 * 3_600_000
#: Smallest doubt that is reported, in days of mean consumption: 0.5 % of a year's consumption.
LEAST_DAYS: Final = 0.005 * 365
#: Relative difference up to which rates are equal. They differ a little by rounding of stored sums.
_EQUAL: Final = 1e-6
#: Largest distance of two readings for which the days between them count as covered [days].
_LONGEST_COVERED_DAYS: Final = 35


class DayHistory(msgspec.Struct, frozen=True, dict=True):
    """The consumption of a meter by day, in arrays of shape (days,).

    Attributes:
        edges_ms: shape (days + 1,), local midnights [UTC, ms].
        amount: consumption [kWh, m3 or GJ]; NaN if unknown.
        coverage: share of the day that is covered, 0 to 1; NaN if unknown.
        spread: estimated consumption at the day's start (`edge_spread`); NaN if unknown.
    """

    edges_ms: "NDArray[np.int64]"
    amount: "NDArray[np.float64]"
    coverage: "NDArray[np.float64]"
    spread: "NDArray[np.float64]"

    @cached_property
    def rate(self) -> "NDArray[np.float64]":
        """Consumption in 24 hours, shape (days,); NaN if unknown."""
        found: NDArray[np.float64] = self.amount * (DAY_MS / np.diff(self.edges_ms))
        return found

    @cached_property
    def known(self) -> "NDArray[np.bool_]":
        """True for each day with known consumption, shape (days,)."""
        return np.isfinite(self.amount)

    @cached_property
    def steps(self) -> "Steps":
        """The steps into which the known days are divided (laws 1 and 2)."""
        rate, known = self.rate, self.known
        level = np.maximum(np.abs(rate[1:]), np.abs(rate[:-1]))
        same = known[1:] & known[:-1]
        same[same] = np.abs(np.diff(rate)[same]) <= _EQUAL * level[same]
        in_gap = self._in_one_gap() & ~same
        begins = known & ~np.append(False, same | in_gap)[: len(known)]
        first = np.flatnonzero(begins)
        number = np.where(known, np.cumsum(begins) - 1, -1)
        days = np.bincount(number[known], minlength=len(first))
        of_steps = rate[first]
        for step in np.unique(number[1:][in_gap]).tolist():
            of_steps[step] = rate[first[step] : first[step] + days[step]].mean()
        is_covered = np.nan_to_num(self.coverage[first]) >= 0.5
        is_long = is_covered & (days > _LONGEST_COVERED_DAYS)
        return Steps(number, first, days, of_steps, np.where(is_long, 1, days))

    def _in_one_gap(self) -> "NDArray[np.bool_]":
        """Return True for each midnight between two days that lie in one gap, shape (days - 1,).

        On a day with one reading, the estimates at its two midnights add up to its amount.
        """
        spread = np.nan_to_num(np.append(self.spread, 0.0))
        rest = np.abs(self.amount - spread[:-1] - spread[1:])
        is_unread = (self.coverage == 0) & (rest > _EQUAL * spread[:-1])
        found: NDArray[np.bool_] = is_unread[1:] & is_unread[:-1] & (spread[1:-1] > 0)
        return found


class Steps(msgspec.Struct, frozen=True):
    """The steps of a history, in arrays of shape (steps,).

    Attributes:
        number: shape (days,), number of the step to which each day belongs; -1 if its consumption
            is unknown.
        first: index of the first day.
        days: number of days.
        rate: consumption in 24 hours.
        resolution: number of days over which the rate is averaged (law 3).
    """

    number: "NDArray[np.int64]"
    first: "NDArray[np.int64]"
    days: "NDArray[np.int64]"
    rate: "NDArray[np.float64]"
    resolution: "NDArray[np.int64]"

    def has_resolution(self, days: int) -> "NDArray[np.bool_]":
        """Return a mask of days: True if a day's step has about this resolution or a finer one."""
        fine = np.append(self.resolution <= max(_FINE * days, 2), False)
        return fine[self.number]


#: Coarsest resolution with which a step of N days is compared, as a multiple of N.
_FINE: Final = 2.5
