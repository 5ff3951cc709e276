"""Keep the polling state of a link: circuit breaker, fault, and connections closed by the peer.

Laws:

1. While a link is down, no failure is recorded for its meters.
2. Some gateways close the connection if they can't reach the requested meter. This counts as a
   failure of the meter. But if the connection was closed for every meter of the bus since the last
   answer, the link counts as down.
"""

from collections.abc import Callable
from typing import Final

from edge_agent.circuit_breaker import FAILURE_THRESHOLD, CircuitBreaker
from jieneng.metering.errors import LinkDown, LinkError, NewLinkClosed, PeerError
from jieneng.observe import Log, LoggedFault

_REOPEN_S: Final = 1.0  # first delay before a link is opened again; it doubles with each failure
_LONGEST_REOPEN_S: Final = 30.0  # longest delay before a link is opened again


class LinkState:
    """The polling state of the link of one bus.

    Attributes:
        fault: the fault "link is down" in the log.
        breaker: circuit breaker of the link.
    """

    __slots__ = ("_closed_for", "_meter_count", "breaker", "fault")

    def __init__(self, bus: str, meter_count: int, log: Log, now_s: Callable[[], float]) -> None:
        self.fault = LoggedFault(log, "link is down", after=FAILURE_THRESHOLD, now_s=now_s, bus=bus)
        self.breaker: Final = CircuitBreaker(_REOPEN_S, _LONGEST_REOPEN_S)
        self._meter_count = meter_count
        self._closed_for: set[str] = (
            set()
        )  # meters whose polls made the peer close, since the last answer

    def classify(self, error: LinkError | PeerError, meter: str) -> LinkError | PeerError:
        """Return the error itself, or `LinkDown` if the link was closed for every meter (law 2)."""
        if not isinstance(error, NewLinkClosed):
            return error
        self._closed_for.add(meter)
        if len(self._closed_for) < self._meter_count:
            return error
        return LinkDown("no meter can be reached: {error}", error=error)

    def record_down(self, error: LinkDown, now_s: float) -> None:
        """Record that the link is down, and delay the next attempt."""
        self.breaker.record_failure(now_s)
        self.fault.report(error)

    def record_up(self, error: LinkError | PeerError | None) -> None:
        """Record that the link was up in a poll.

        Args:
            error: error of the poll; None if there was none.
        """
        if self.fault.occurrences:
            self.breaker.record_success()
            self.fault.clear()
        if self._closed_for and not isinstance(error, NewLinkClosed):
            self._closed_for.clear()
