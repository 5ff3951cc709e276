"""Watch the system clock: log its jumps, and let undated batches have their times.

Laws:

1. Undated batches get their times while the clock is plausible, each part of them by the latest
   reading of the clock. It does not matter whether the clock became plausible just now, or before
   this agent started.
2. A clock that its time service has not set is reported, and readings taken meanwhile are marked.
   Nothing waits for it: the service may be out of reach for years, and the clock nearly right all
   the same.
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
    """The queue of batches that wait for their UTC times, as far as the watch needs it."""

    @property
    def has_undated(self) -> bool:
        """True if batches may be waiting for their times."""

    async def assign_times(self, machine_started_ms: int) -> None:
        """Give some of them their times.

        Args:
            machine_started_ms: UTC at which the machine started.

        Raises:
            SpoolUnavailable: the disk can't be used.
        """


class ClockWatch:
    """The watch over one agent's clock."""

    def __init__(
        self, clock_trust: ClockTrust, undated: UndatedBatches, clock: Clock, log: Log
    ) -> None:
        self._clock_trust = clock_trust
        self._undated = undated
        self._clock = clock
        self._log = log
        self._implausible_fault = LoggedFault(
            log, "clock can't be believed: readings wait for their time"
        )
        self._unset_fault = LoggedFault(log, "clock is not set: readings are marked")

    def running_time_stamp(self, time_ms: int) -> int:
        """Convert a recent implausible stamp to running time (see `ClockTrust`)."""
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
        """Return True if some batches got their times and others can get theirs at once."""
        if not self._undated.has_undated:
            self._implausible_fault.clear()
        elif not self._clock_trust.is_plausible:
            self._implausible_fault.report("the clock shows a time before 2018")
        else:
            with suppress(SpoolUnavailable):  # reported by the writer and the publisher
                await self._undated.assign_times(self._clock_trust.offset_ms)
                return self._undated.has_undated
        return False
