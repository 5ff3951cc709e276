"""Adapt the reply timeout to a gateway whose replies carry transaction numbers. Pure.

A gateway polls its meters one after the other. If it waits for a dead meter longer than the agent
does, its replies to the agent's next requests come too late. Without adaptation, working meters
would then appear dead.

Laws:

1. After a late reply, the timeout is the delay of this reply plus a margin. It is at least one and
   at most five time-outs of the bus.
2. Each request without a reply shortens the timeout a little, because the delay may have been
   temporary. If it was not, the next late reply lengthens the timeout again.
3. The last request before a connection is given up has the longest possible timeout. Otherwise the
   delay of a very slow gateway would never be measured.
4. A gateway that has never replied late has a timeout of one time-out of the bus, apart from law 3.
   The bus-time budget relies on this (`commissioning.bus_time_budget`).
"""

from typing import Final

_LONGEST: Final = 5.0  # longest timeout, in time-outs of the bus
_KEPT: Final = 0.97  # factor on the timeout for a request without reply; 23 of these halve it
# Timeout divided by the measured delay. A margin is needed for two reasons. When the first late
# reply arrives, up to five further requests (`_LONGEST`) have already been sent with the old
# timeout; each of them goes unanswered and shortens the new timeout, to 0.97 ** 5 = 0.86 in total.
# And replies vary: another fourteenth of the delay is for replies that are later than the measured
# one. TCP adds four mean deviations instead (RFC 6298, section 2), for which the delay of every
# reply would have to be measured.
_MARGIN: Final = 1.25


class ReplyTimeout:
    """The reply timeout of one gateway.

    Attributes:
        wait_s: present reply timeout [s].
        longest_s: longest possible reply timeout [s].
    """

    def __init__(self, timeout_s: float) -> None:
        """Start with the bus's `timeout_s` of `site.toml`."""
        self.wait_s = timeout_s
        self.longest_s: Final = _LONGEST * timeout_s
        self._timeout_s = timeout_s

    def late_reply(self, after_s: float) -> None:
        """Lengthen the timeout after a late reply.

        Args:
            after_s: time since the request of the reply, or since an earlier late reply if that was
                later [s].
        """
        self.wait_s = min(max(self.wait_s, _MARGIN * after_s), self.longest_s)

    def no_reply(self) -> None:
        """Shorten the timeout a little, towards the time-out of the bus."""
        self.wait_s = max(self._timeout_s, _KEPT * self.wait_s)
