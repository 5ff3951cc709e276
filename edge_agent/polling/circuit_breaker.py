"""Delay retries after repeated failures, as of a silent meter. Pure: the time is passed in.

Law: a few failures in a row are no noise; how few, says whoever guards something (two lost replies
of a meter are silence). It is then tried once after one interval, then after two, four, eight, up
to a cap, and each is a probe: the first that finds something makes all as before. So the time-outs
of a silent meter cost its neighbours less and less, and it is never given up.
"""

import math
from typing import Final

TRIP: Final = 2  # failures in a row that are silence
_LONGEST_S: Final = 300.0  # a meter that was mended is seen again within five minutes


class CircuitBreaker:
    """The retry delay of a meter, a link, a refused read, or a rescue that lacks disk space.

    Attributes:
        failures: in a row, up to now.
        not_before_s: on the monotonic clock: not to be asked before.
    """

    __slots__ = ("_interval_s", "_longest_s", "_trip", "failures", "not_before_s")

    def __init__(
        self, interval_s: float, longest_s: float = _LONGEST_S, *, trip: int = TRIP
    ) -> None:
        """Guard something.

        Args:
            interval_s: between two questions as a rule, and before the first probe.
            longest_s: between two probes.
            trip: how many failures in a row are silence.
        """
        self._interval_s = interval_s
        self._longest_s = max(longest_s, interval_s)
        self._trip = trip
        self.failures = 0
        self.not_before_s = -math.inf

    def failed(self, now_s: float) -> None:
        """Count a failure and delay the next attempt."""
        self.failures += 1
        doublings = min(self.failures - self._trip, 32)
        if doublings >= 0:
            delay_s = min(self._interval_s * 2.0**doublings, self._longest_s)
            self.not_before_s = now_s + delay_s

    def answered(self) -> None:
        """Reset failures and delay after a success."""
        self.failures = 0
        self.not_before_s = -math.inf
