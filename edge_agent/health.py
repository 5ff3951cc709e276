"""How an agent is, for its status and for `/metrics`: numbers of others, read when asked."""

from collections.abc import Callable, Sequence

from edge_agent.poller import BusPoller
from edge_agent.timekeeper import Timekeeper
from jieneng.clock import Clock


class Health:
    """What an agent can say of itself besides its books."""

    def __init__(
        self, pollers: Callable[[], Sequence[BusPoller]], timekeeper: Timekeeper, clock: Clock
    ) -> None:
        """Begin.

        Args:
            pollers: those that run at the moment.
            timekeeper: knows whether the clock may be believed.
            clock: the agent's.
        """
        self._pollers = pollers
        self._clock = clock
        self._began_s = clock.monotonic()
        self._looked_s = self._began_s
        self._busy_s: dict[str, float] = {}
        self.timekeeper = timekeeper

    @property
    def uptime_s(self) -> float:
        """Since the agent started."""
        return self._clock.monotonic() - self._began_s

    def bus_load(self) -> dict[str, float]:
        """The share of the time since the last question in which each bus was busy."""
        now_s = self._clock.monotonic()
        passed_s, self._looked_s = now_s - self._looked_s, now_s
        busy_s = {one.bus: one.counts.seconds for one in self._pollers()}
        before, self._busy_s = self._busy_s, busy_s
        if passed_s <= 0:
            return {}
        # A bus that was gone and came back counts from 0 again.
        return {
            bus: min(max(seconds - before.get(bus, 0.0), 0.0) / passed_s, 1.0)
            for bus, seconds in busy_s.items()
        }
