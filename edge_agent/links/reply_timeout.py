"""Adaptive reply timeout for a gateway whose replies carry numbers. Pure: times are passed in.

A gateway asks its meters one after the other. If the gateway waits longer for a dead meter than the
agent does, it answers the following requests too late, and living meters look dead.

Laws:

1. A late reply shows how long the gateway takes. From then on the wait for a reply is this time and
   a margin: at least one time-out of the bus, at most five.
2. Each silence takes back a little of it: a line that hung for a while must not lengthen the wait
   for good. If it was the gateway after all, one more late reply shows it.
3. Before a connection is given up, the reply to its last request is waited for longest. A gateway
   that takes longer than the other requests were waited for would never be seen otherwise.
4. Apart from law 3, a gateway that never answers late is waited for one time-out. The bus-time
   budget counts on that (`commissioning.bus_time_budget`).
"""

from typing import Final

_LONGEST: Final = 5.0  # longest wait, in time-outs of the bus
_KEPT: Final = 0.97  # share of the wait that is kept at a silence: half of it is gone after 23
# Share of the measured delay that is waited for. A wait without margin misses the next reply, and
# the next: each silence shortens it, and two replies never take equally long. Up to five requests
# (`_LONGEST`) are already sent with the shorter wait when the first late reply comes: their
# silences leave 0.97 ** 5 = 0.86 of the wait. The rest of the margin, a fourteenth of the delay, is
# for replies that are later than the measured one. TCP adds four mean deviations instead (RFC 6298,
# section 2), for which every reply in time would have to be measured.
_MARGIN: Final = 1.25


class ReplyTimeout:
    """The reply timeout of one gateway.

    Attributes:
        wait_s: time that a reply is waited for now [s].
        longest_s: longest time that this can become [s].
    """

    def __init__(self, timeout_s: float) -> None:
        """Begin with the time-out that the site gives the bus."""
        self.wait_s = timeout_s
        self.longest_s: Final = _LONGEST * timeout_s
        self._timeout_s = timeout_s

    def late_reply(self, after_s: float) -> None:
        """Lengthen the wait after a late reply.

        Args:
            after_s: time since the reply's own request, or since the late reply before it [s].
        """
        self.wait_s = min(max(self.wait_s, _MARGIN * after_s), self.longest_s)

    def no_reply(self) -> None:
        """Shorten the wait a little, towards the time-out of the bus."""
        self.wait_s = max(self._timeout_s, _KEPT * self.wait_s)
