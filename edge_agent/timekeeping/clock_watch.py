"""Watch the system clock: log its jumps, and give undated batches their UTC times.

Laws:

1. Undated batches get their UTC times whenever the clock is plausible. They are converted in
   several steps; each step uses the latest reading of the clock.
2. If the machine's time service has not set the clock, this is logged, and readings taken meanwhile
   are marked. They are still published at once: the time service may be out of reach for years, and
   the clock may be nearly right.
"""

import asyncio
from contextlib import suppress
from typing import Final, Protocol

from edge_agent.timekeeping.clock_trust import ClockTrust
from jieneng.clock import Clock
from jieneng.metering.errors import SpoolUnavailable
from jieneng.observe import Log, LoggedFault

_CHECK_INTERVAL_S: Final = 1.0  # between two readings of the clock, in real seconds


class UndatedBatches(Protocol):
    """The batches of the spool that wait for their UTC times."""

    @property
    def has_undated(self) -> bool:
        """True if batches may be waiting for their times."""

    async def assign_times(self, machine_started_ms: int) -> None:
        """Give some of these batches their UTC times.

        Args:
            machine_started_ms: time at which the machine started, UTC.

        Raises:
            SpoolUnavailable: the disk can't be used.
        """


class ClockWatch:
    """Watches the system clock for one agent."""

    def __init__(
        self, clock_trust: ClockTrust, undated: UndatedBatches, clock: Clock, log: Log
    ) -> None:
        self._clock_trust = clock_trust
        self._undated = undated
        self._clock = clock
        self._log = log
        self._implausible_fault = LoggedFault(
            log, "clock is implausible: readings wait for their time"
        )
        self._unset_fault = LoggedFault(log, "clock is not set: readings are marked")

    def running_time_stamp(self, time_ms: int) -> int:
        """Convert a recent implausible time stamp to running time (see `ClockTrust`)."""
        return self._clock_trust.running_time_stamp(
            time_ms, self._clock.now_ms(), self._clock.up_ms()
        )

    def is_clock_unset(self) -> bool:
        """Return True if stamps given just now may be wrong."""
        return not self._clock_trust.is_set

    async def run(self) -> None:
        """Watch the clock until cancelled."""
        while True:
            self._check_clock()
            if not await self._assign_times():
                await asyncio.sleep(_CHECK_INTERVAL_S)

    def _check_clock(self) -> None:
        is_set = self._clock.is_set()
        jumped_ms = self._clock_trust.update(
            self._clock.now_ms(), self._clock.up_ms(), is_set=is_set
        )
        if jumped_ms is not None:
            self._log.warning("the system's clock has jumped", by_s=jumped_ms / 1000)
        if is_set:
            self._unset_fault.clear()
        else:
            self._unset_fault.report("the machine's time service has not set it, or not for hours")

    async def _assign_times(self) -> bool:
        """Give some undated batches their times. Return True if others are still undated."""
        if not self._undated.has_undated:
            self._implausible_fault.clear()
        elif not self._clock_trust.is_plausible:
            self._implausible_fault.report("the clock shows a time before 2018")
        else:
            with suppress(SpoolUnavailable):  # reported by the writer and the publisher
                await self._undated.assign_times(self._clock_trust.offset_ms)
                return self._undated.has_undated
        return False
