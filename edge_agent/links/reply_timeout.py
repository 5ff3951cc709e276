"""Adaptive reply timeout for a gateway whose replies carry numbers. Pure: times are passed in.

A gateway asks its meters one after the other. If it waits longer for a dead one than the agent
does, the requests behind that one are answered too late, and living meters look dead.

Laws:

1. A late reply shows how long the other end takes. From then on a reply is waited for that long, up
   to some time-outs, and never less than the time-out of the bus.
2. That is forgotten a little with every silence: a line that hung for a while must not lengthen the
   wait for good. If it was the gateway after all, one more late reply says so.
3. Before a connection that had served is given up, the reply to its last request is waited for
   longest: its late replies could not be seen otherwise.
"""

from typing import Final

_LONGEST: Final = 5.0  # longest wait, in time-outs of the bus
_KEPT: Final = 0.97  # share of the wait that is kept at a silence: half of it is gone after 23


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
        self.wait_s = min(max(self.wait_s, after_s), self.longest_s)

    def no_reply(self) -> None:
        """Shorten the wait a little, towards the time-out of the bus."""
        self.wait_s = max(self._timeout_s, _KEPT * self.wait_s)
