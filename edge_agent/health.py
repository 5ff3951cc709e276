"""Report the load of the buses and the state of an agent, for its status and for `/metrics`.

Law: the load of a bus is measured over the time since the last call of `BusLoad.measure`. The
status message and `/metrics` are made at different times, so each has its own `BusLoad`.
"""

from collections.abc import Callable, Sequence

from edge_agent.polling.bus_poller import BusPoller
from edge_agent.timekeeping.clock_trust import ClockTrust
from jieneng.clock import Clock


class BusLoad:
    """Measure the load of the buses between two calls of `measure`."""

    def __init__(self, pollers: Callable[[], Sequence[BusPoller]], clock: Clock) -> None:
        """Begin the first measurement.

        Args:
            pollers: returns the pollers that run at the moment.
            clock: the agent's clock.
        """
        self._pollers = pollers
        self._clock = clock
        self._measured_s = clock.monotonic()
        self._busy_s: dict[str, float] = {}

    def measure(self) -> dict[str, float]:
        """Return the busy share of the time since the last measurement, by bus."""
        now_s = self._clock.monotonic()
        passed_s = now_s - self._measured_s
        if passed_s <= 0:
            return {}
        busy_s = {one.bus: one.counts.busy_s for one in self._pollers()}
        before_s, self._busy_s, self._measured_s = self._busy_s, busy_s, now_s
        # A poll counts when it ends. If it began before the last measurement, its duration may be
        # longer than the time since then.
        return {
            bus: min(_increase(before_s.get(bus, 0.0), seconds) / passed_s, 1.0)
            for bus, seconds in busy_s.items()
        }


def _increase(before: float, now: float) -> float:
    """Return the growth of a count; `now` if the count began again at 0 with a new poller."""
    return now - before if now >= before else now


class AgentHealth:
    """The state of an agent, apart from the counts of its samples."""

    def __init__(self, bus_load: BusLoad, clock_trust: ClockTrust, clock: Clock) -> None:
        """Begin to count the uptime.

        Args:
            bus_load: load of the buses, for the status.
            clock_trust: trust in the system clock.
            clock: the agent's clock.
        """
        self._clock = clock
        self._began_s = clock.monotonic()
        self.bus_load = bus_load
        self.clock_trust = clock_trust

    def timestamp_s(self, monotonic_s: float) -> float:
        """Return the time of a moment of the monotonic clock [UTC, s since 1970]."""
        return self._clock.now_ms() / 1000 - (self._clock.monotonic() - monotonic_s)

    @property
    def uptime_s(self) -> float:
        """Seconds since the agent started."""
        return self._clock.monotonic() - self._began_s
