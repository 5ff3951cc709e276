"""The consumption of a meter by local day, and the steps of which its days are made.

A register that is read each month has the same rate on all days between two readings. Such days are
one step: they say one thing about the meter, and not thirty. An example:

    day     1    2    3    4    5    6    7
    rate    10   10   10   14   8    -    9
    step    0    0    0    1    2         3

Laws:

1. Neighbouring days of equal rate are one step. A day of unknown consumption ends it.
2. The resolution of a step is the number of its days. Days that are covered, and have the same rate
   for longer than readings may be apart, are days of equal consumption: their resolution is a day.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY_MS: Final = 24 * 3_600_000
#: Least doubt that matters, in mean days: half a percent of a year's consumption.
LEAST_DAYS: Final = 0.005 * 365
#: Relative difference of equal rates, which are stored as sums.
_EQUAL: Final = 1e-6
#: Greatest distance of readings that cover the days between them.
_LONGEST_COVERED_DAYS: Final = 35


class DayHistory(msgspec.Struct, frozen=True, dict=True):
    """The consumption of a meter by day, in arrays of shape (days,).

    Attributes:
        edges_ms: shape (days + 1,), local midnights [UTC, ms].
        amount: consumption [kWh, m3 or GJ]; NaN where unknown.
        coverage: share of the day that is covered, 0 to 1; NaN where unknown.
    """

    edges_ms: "NDArray[np.int64]"
    amount: "NDArray[np.float64]"
    coverage: "NDArray[np.float64]"

    @cached_property
    def rate(self) -> "NDArray[np.float64]":
        """Consumption in 24 hours, shape (days,); NaN where unknown."""
        found: NDArray[np.float64] = self.amount * (DAY_MS / np.diff(self.edges_ms))
        return found

    @cached_property
    def known(self) -> "NDArray[np.bool_]":
        """True for each day of known consumption, shape (days,)."""
        return np.isfinite(self.amount)

    @cached_property
    def steps(self) -> "Steps":
        """The steps of the known days (law 1)."""
        rate, known = self.rate, self.known
        level = np.maximum(np.abs(rate[1:]), np.abs(rate[:-1]))
        same = known[1:] & known[:-1]
        same[same] = np.abs(np.diff(rate)[same]) <= _EQUAL * level[same]
        begins = known & ~np.append(False, same)[: len(known)]
        first = np.flatnonzero(begins)
        number = np.where(known, np.cumsum(begins) - 1, -1)
        days = np.bincount(number[known], minlength=len(first))
        is_covered = np.nan_to_num(self.coverage[first]) >= 0.5
        is_long = is_covered & (days > _LONGEST_COVERED_DAYS)
        return Steps(number, first, days, rate[first], np.where(is_long, 1, days))


class Steps(msgspec.Struct, frozen=True):
    """The steps of a history, in arrays of shape (steps,).

    Attributes:
        number: shape (days,), number of each day's step; -1 where consumption is unknown.
        first: index of the first day.
        days: number of days.
        rate: consumption in 24 hours.
        resolution: number of days that the rate is the mean of.
    """

    number: "NDArray[np.int64]"
    first: "NDArray[np.int64]"
    days: "NDArray[np.int64]"
    rate: "NDArray[np.float64]"
    resolution: "NDArray[np.int64]"

    def has_resolution(self, days: int) -> "NDArray[np.bool_]":
        """Return a mask of days, True where a step has about a resolution or a better one."""
        fine = np.append(self.resolution <= max(_FINE * days, 2), False)
        return fine[self.number]


#: Resolution of the past that a step is compared with, as a multiple of the step.
_FINE: Final = 2.5
