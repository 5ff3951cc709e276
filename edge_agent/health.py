"""How an agent is, for its status and for `/metrics`: numbers of others, read when asked.

Law: a bus's load is of the time since the same asker's last question. So each asker has a `BusLoad`
of its own: of two that shared one, each would cut the other's time short.
"""

from collections.abc import Callable, Sequence

from edge_agent.polling.bus_poller import BusPoller
from edge_agent.timekeeping.clock_trust import ClockTrust
from jieneng.clock import Clock


class BusLoad:
    """How busy the buses are, for one asker."""

    def __init__(self, pollers: Callable[[], Sequence[BusPoller]], clock: Clock) -> None:
        """Begin.

        Args:
            pollers: those that run at the moment.
            clock: the agent's.
        """
        self._pollers = pollers
        self._clock = clock
        self._looked_s = clock.monotonic()
        self._busy_s: dict[str, float] = {}

    def look(self) -> dict[str, float]:
        """The share of the time since the last look in which each bus was busy."""
        now_s = self._clock.monotonic()
        passed_s = now_s - self._looked_s
        if passed_s <= 0:
            return {}
        busy_s = {one.bus: one.counts.seconds for one in self._pollers()}
        before_s, self._busy_s, self._looked_s = self._busy_s, busy_s, now_s
        # A poll counts when it ends: one that began before the last look may be longer than this.
        return {
            bus: min(_grown(before_s.get(bus, 0.0), seconds) / passed_s, 1.0)
            for bus, seconds in busy_s.items()
        }


def _grown(before: float, now: float) -> float:
    """By how much; a bus that was gone and came back counts from 0 again."""
    return now - before if now >= before else now


class Health:
    """What an agent can say of itself besides its books."""

    def __init__(self, bus_load: BusLoad, timekeeper: ClockTrust, clock: Clock) -> None:
        """Begin.

        Args:
            bus_load: for the status.
            timekeeper: knows whether the clock may be believed.
            clock: the agent's.
        """
        self._clock = clock
        self._began_s = clock.monotonic()
        self.bus_load = bus_load
        self.timekeeper = timekeeper

    @property
    def uptime_s(self) -> float:
        """Since the agent started."""
        return self._clock.monotonic() - self._began_s
