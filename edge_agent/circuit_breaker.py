"""Delay retries after repeated failures, with exponential back-off. Pure: the time is passed in.

Laws:

1. Fewer failures in a row than the threshold have no effect, because single lost replies are
   normal.
2. When the threshold is reached, the next attempt is delayed by one interval. Each further failure
   doubles the delay, up to a limit.
3. The first success resets the failures and the delay.

So a silent meter takes less and less of the bus time of other meters, but is never given up.
"""

import math
from typing import Final

FAILURE_THRESHOLD: Final = 2  # failures in a row from which attempts are delayed
_LONGEST_DELAY_S: Final = 300.0  # a meter that was repaired is found within five minutes


class CircuitBreaker:
    """The retry delay of a meter, of a link, of refused registers, or of a spool's rescue.

    Attributes:
        failures: number of failures in a row.
        not_before_s: earliest time for the next attempt, on the monotonic clock.
    """

    __slots__ = ("_interval_s", "_longest_delay_s", "_threshold", "failures", "not_before_s")

    def __init__(
        self,
        interval_s: float,
        longest_delay_s: float = _LONGEST_DELAY_S,
        *,
        threshold: int = FAILURE_THRESHOLD,
    ) -> None:
        """Start without failures.

        Args:
            interval_s: usual time between two attempts, and the first delay.
            longest_delay_s: longest delay; never shorter than the interval.
            threshold: number of failures in a row from which attempts are delayed.
        """
        self._interval_s = interval_s
        self._longest_delay_s = max(longest_delay_s, interval_s)
        self._threshold = threshold
        self.failures = 0
        self.not_before_s = -math.inf

    def record_failure(self, now_s: float) -> None:
        """Count a failure and delay the next attempt."""
        self.failures += 1
        doublings = min(self.failures - self._threshold, 32)
        if doublings >= 0:
            delay_s = min(self._interval_s * 2.0**doublings, self._longest_delay_s)
            self.not_before_s = now_s + delay_s

    def record_success(self) -> None:
        """Reset failures and delay."""
        self.failures = 0
        self.not_before_s = -math.inf
