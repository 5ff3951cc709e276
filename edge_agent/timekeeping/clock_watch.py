"""Looks at the system's clock, says when it jumps, and lets what waits for its time have it.

Laws:

1. Whatever waits gets its time while the clock is plausible, each part by the latest look at it.
   Whether that began just now, or before this agent did, is the same.
2. That a clock is not set by whom it should be is said, and marks what is read. It holds nothing
   up: the service may not be reached for years, and the clock be nearly right all the same.
"""

import asyncio
from contextlib import suppress
from typing import Final

from edge_agent.spool.spool import Spool
from edge_agent.timekeeping.clock_trust import ClockTrust
from jieneng.clock import Clock
from jieneng.metering.errors import SpoolUnavailable
from jieneng.observe import Log, LoggedFault

_LOOK_S: Final = 1.0  # between two looks at the clock, in real seconds


class ClockWatch:
    """Watches for one agent."""

    def __init__(self, timekeeper: ClockTrust, spool: Spool, clock: Clock, log: Log) -> None:
        self._timekeeper = timekeeper
        self._spool = spool
        self._clock = clock
        self._log = log
        self._fault = LoggedFault(log, "clock can't be believed: readings wait for their time")
        self._unset = LoggedFault(log, "clock is not set: readings are marked")

    def undated(self, time_ms: int) -> int:
        """What a stamp of just now becomes that can't be believed (see `Timekeeper.undated`)."""
        return self._timekeeper.undated(time_ms, self._clock.now_ms(), self._clock.up_ms())

    def in_doubt(self) -> bool:
        """Whether a stamp that was given just now may be wrong."""
        return not self._timekeeper.is_set

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._look()
            if not await self._date():
                await asyncio.sleep(_LOOK_S)

    def _look(self) -> None:
        is_set = self._clock.is_set()
        jumped_ms = self._timekeeper.look(self._clock.now_ms(), self._clock.up_ms(), is_set=is_set)
        if jumped_ms is not None:
            self._log.warning("the system's clock has jumped", by_s=jumped_ms / 1000)
        if is_set:
            self._unset.over()
        else:
            self._unset.happened("the machine's time service has not set it, or not for hours")

    async def _date(self) -> bool:
        """Whether some got their time and others could at once."""
        if not self._spool.waits:
            self._fault.over()
        elif not self._timekeeper.plausible:
            self._fault.happened("the clock shows a time before 2018")
        else:
            with suppress(SpoolUnavailable):  # whoever puts or sends says so
                await self._spool.date(self._timekeeper.offset_ms)
                return self._spool.waits
        return False
