"""Replay measured values as a meter's load. Pure: arrays in, a load out.

Law: the consumption over each interval of the file is exactly the file's value. A missing value
adds nothing.

The file does not tell how the flow varied inside an interval. In the replay, the consumption flows
at a constant rate in the middle of the interval. Nothing flows in the first and in the last part,
each with the share `rest` of the interval. A reading shortly before or after the end of an interval
is therefore the same as at the end itself.
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
        """Create a load from intervals in the order of time.

        Args:
            begins_ms: beginning of each interval, UTC.
            ends_ms: end of each interval, UTC; not after the beginning of the next interval.
            amounts: consumption in each interval [canonical unit]; NaN if it is missing.
            rest: share of an interval, at its beginning and again at its end, without flow.

        Raises:
            ValueError: intervals overlap, an amount is negative, or `rest` is not from 0 to
                below 0.5.
        """
        if not 0.0 <= rest < 0.5:
            raise ValueError(f"a replay rests for 0 to below 0.5 of an interval, not {rest}")
        if (ends_ms <= begins_ms).any() or (begins_ms[1:] < ends_ms[:-1]).any():
            raise ValueError("the intervals of a replay must follow one another")
        known = ~np.isnan(amounts)
        if (amounts[known] < 0).any():
            raise ValueError("a counter can't fall: there is a negative amount in the replay")
        rest_ms = (rest * (ends_ms - begins_ms)).astype(np.int64)
        # Append an interval without consumption at the end of time, so that an interval follows
        # every moment.
        self._begins_ms = np.append((begins_ms + rest_ms)[known], _NEVER_MS - 1)
        self._ends_ms = np.append((ends_ms - rest_ms)[known], _NEVER_MS)
        self._amounts = np.append(amounts[known], 0.0)
        self._consumed_before = np.concatenate([[0.0], np.cumsum(self._amounts[:-1])])

    def consumption(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        index, share = self._interval_at(t_ms)
        return np.asarray(self._consumed_before[index] + share * self._amounts[index])

    def rate(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        index, share = self._interval_at(t_ms)
        hours = (self._ends_ms - self._begins_ms)[index] / HOUR_MS
        flowing = (share > 0.0) & (share < 1.0)
        return np.where(flowing, self._amounts[index] / hours, 0.0)

    def _interval_at(self, t_ms: Ints) -> tuple[Ints, Floats]:
        """Return, for each moment, the first interval that has not ended and its consumed share."""
        index = np.searchsorted(self._ends_ms, t_ms, side="right")
        flowed_share = (t_ms - self._begins_ms[index]) / (self._ends_ms - self._begins_ms)[index]
        return index, np.clip(flowed_share, 0.0, 1.0)


def from_intervals(
    times_ms: Ints, amounts: Floats, interval_ms: int | None = None, rest: float = REST
) -> ReplayedLoad:
    """Return a replay of the consumption of intervals.

    Args:
        times_ms: beginning of each interval, UTC.
        amounts: consumption in each interval [canonical unit]; NaN if it is missing.
        interval_ms: length of the intervals; None: the median distance of consecutive times.
        rest: see `ReplayedLoad`.
    """
    length = interval_ms or int(np.median(np.diff(times_ms)))
    return ReplayedLoad(times_ms, times_ms + length, amounts, rest)


def from_registers(times_ms: Ints, readings: Floats, rest: float = REST) -> ReplayedLoad:
    """Return a replay of a register's readings.

    Missing readings (NaN) are skipped: the interval then lasts from the last known reading to the
    next one.
    """
    known = ~np.isnan(readings)
    times, values = times_ms[known], readings[known]
    return ReplayedLoad(times[:-1], times[1:], np.diff(values), rest)
