"""Adaptive reply timeout for links whose replies carry numbers. Pure: times are passed in.

A gateway asks its meters one after the other. If it gives a dead one more time than we give it, the
questions behind that one come too late, and meters look dead that are not.

Laws:

1. An answer that came late shows how long the other end takes. From then on an answer is waited for
   that long, up to some time-outs; never less than the time-out.
2. That is forgotten a little with every silence: what was learned from a line that hung for a while
   does not stay. If it was the gateway after all, one more late answer says so.
3. Before a connection that had served is given up, its last question is waited for longest: its
   late answers could not be seen otherwise.
"""

from typing import Final

_MOST: Final = 5.0  # time-outs that are waited for at most
_KEPT: Final = 0.97  # of what was learned, with every silence: half of it after 23


class ReplyTimeout:
    """With one other end.

    Attributes:
        wait_s: how long an answer is waited for.
        longest_s: how long that can become.
    """

    def __init__(self, timeout_s: float) -> None:
        """Begin with the timeout of `site.toml`."""
        self.wait_s = timeout_s
        self.longest_s: Final = _MOST * timeout_s
        self._timeout_s = timeout_s

    def came_late(self, after_s: float) -> None:
        """Lengthen the wait after an answer that came `after_s` after its request."""
        self.wait_s = min(max(self.wait_s, after_s), self.longest_s)

    def fell_silent(self) -> None:
        """Shorten the wait a little after a timeout without any reply."""
        self.wait_s = max(self._timeout_s, _KEPT * self.wait_s)
