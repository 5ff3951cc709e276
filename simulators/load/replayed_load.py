"""Replay measured values as a meter's load. Pure: arrays in, a load out.

Law: the consumption over each interval of the file is exactly the file's value. A missing value
adds nothing. The file does not say how the flow varied inside an interval, so the replay chooses:
everything flows in the middle, and nothing flows at both edges for `rest` of the interval's length.
A reading taken a little before or after the full hour therefore still agrees exactly with the file.
"""

from typing import Final

import numpy as np

from simulators.load.load import HOUR_MS
from simulators.load.seeded_noise import Floats, Ints

REST: Final = 0.25
_NEVER_MS: Final = 2**62


class ReplayedLoad:
    """A load (see `load.Load`) that follows measured values."""

    def __init__(self, begins_ms: Ints, ends_ms: Ints, amounts: Floats, rest: float = REST) -> None:
        """Take intervals in the order of time.

        Args:
            begins_ms: beginning of each interval, UTC.
            ends_ms: end of each interval, UTC; not after the beginning of the next interval.
            amounts: consumption in each interval [canonical unit]; NaN where it is missing.
            rest: share of an interval, at each edge, in which nothing flows.

        Raises:
            ValueError: intervals that overlap, a negative amount, a rest of a half or more.
        """
        if not 0.0 <= rest < 0.5:
            raise ValueError(f"a replay rests for 0 to below 0.5 of an interval, not {rest}")
        if (ends_ms <= begins_ms).any() or (begins_ms[1:] < ends_ms[:-1]).any():
            raise ValueError("the intervals of a replay must follow one another")
        known = ~np.isnan(amounts)
        if (amounts[known] < 0).any():
            raise ValueError("a counter can't fall: there is a negative amount in the replay")
        pause = (rest * (ends_ms - begins_ms)).astype(np.int64)
        # An empty last interval that never begins, so that every moment has a next interval.
        self._from = np.append((begins_ms + pause)[known], _NEVER_MS - 1)
        self._to = np.append((ends_ms - pause)[known], _NEVER_MS)
        self._amounts = np.append(amounts[known], 0.0)
        self._before = np.concatenate([[0.0], np.cumsum(self._amounts[:-1])])

    def consumption(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        at, share = self._place(t_ms)
        return np.asarray(self._before[at] + share * self._amounts[at])

    def rate(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        at, share = self._place(t_ms)
        lasts_h = (self._to - self._from)[at] / HOUR_MS
        flowing = (share > 0.0) & (share < 1.0)
        return np.where(flowing, self._amounts[at] / lasts_h, 0.0)

    def _place(self, t_ms: Ints) -> tuple[Ints, Floats]:
        """Return the first interval that has not ended, and the share of it that has flowed."""
        at = np.searchsorted(self._to, t_ms, side="right")
        passed = (t_ms - self._from[at]) / (self._to - self._from)[at]
        return at, np.clip(passed, 0.0, 1.0)


def from_intervals(
    times_ms: Ints, amounts: Floats, interval_ms: int | None = None, rest: float = REST
) -> ReplayedLoad:
    """Return a replay of amounts, each with the moment at which its interval begins.

    Args:
        times_ms: beginning of each interval, UTC.
        amounts: consumption in each interval [canonical unit]; NaN where it is missing.
        interval_ms: length of the intervals; None: the median distance between two times.
        rest: see `ReplayedLoad`.
    """
    length = interval_ms or int(np.median(np.diff(times_ms)))
    return ReplayedLoad(times_ms, times_ms + length, amounts, rest)


def from_registers(times_ms: Ints, readings: Floats, rest: float = REST) -> ReplayedLoad:
    """Return a replay of a register's readings.

    Missing readings (NaN) are bridged: the next reading contains what flowed in the gap.
    """
    known = ~np.isnan(readings)
    times, values = times_ms[known], readings[known]
    return ReplayedLoad(times[:-1], times[1:], np.diff(values), rest)
