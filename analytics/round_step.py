"""A step of the rounds of the analytics service: consumption, indicators, costs, profiles, ...

Laws:

1. A failure of a step is logged once, with the name of the step and the reason. Its end is logged
   once, too. While it lasts, the metrics and `/health` show it.
2. Days that changed are kept for a step until it has succeeded.
"""

from collections.abc import Awaitable, Callable, Collection
from datetime import date
from typing import Protocol, TypeAlias

from prometheus_client import Gauge

from jieneng.metering.errors import JienengError
from jieneng.observe import Log, SevereFault


class DailyWriter(Protocol):
    """A writer of figures that are computed once a day."""

    async def update(self, today: date, changed: Collection[date]) -> int:
        """Write the figures of a new day, and those that contain changed days.

        Args:
            today: the present local day.
            changed: earlier days whose consumption was computed again.

        Returns:
            The number of months or years that are left for the next calls, to keep a call short.
        """


#: Work of a step, such as `DailyWriter.update`.
Update: TypeAlias = Callable[[date, Collection[date]], Awaitable[object]]


class RoundStep:
    """A step of the rounds.

    Args:
        name: name of the step, for logs and metrics.
        update: work of the step.
        failing: metric of the steps, by name.
        log: logger of the service.

    Attributes:
        name: name of the step.
        was_cut_off: True if the store became unavailable during the last attempt.
    """

    def __init__(self, name: str, update: Update, failing: Gauge, log: Log) -> None:
        self.was_cut_off = False
        self.name = name
        self._update = update
        self._changed: set[date] = set()
        self._reason = ""
        self._failing = failing.labels(name)
        self._failing.set(0)
        self._fault = SevereFault(log, "step of a round failed", step=name)

    def note_changed(self, days: Collection[date]) -> None:
        """Keep days whose consumption was computed again, for the next attempt."""
        self._changed.update(days)

    async def run(self, today: date) -> None:
        """Do the work of the step, and pass on its errors."""
        changed = frozenset(self._changed)
        await self._update(today, changed)
        self._changed -= changed
        self._reason, self.was_cut_off = "", False
        self._failing.set(0)
        self._fault.clear()

    def fail(self, error: Exception) -> None:
        """Report a failed attempt."""
        is_known = isinstance(error, JienengError)
        self._reason, self.was_cut_off = str(error) if is_known else repr(error), False
        self._failing.set(1)
        self._fault.report(self._reason, exc_info=not is_known)

    def faults(self) -> list[str]:
        """Return the failure of the last attempt as a sentence, if it failed."""
        return [f"{self.name} can't be computed: {self._reason}"] if self._reason else []
