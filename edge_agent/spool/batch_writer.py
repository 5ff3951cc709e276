"""Polls -> samples -> numbered batches -> spool. The one way from the pollers to the disk.

Laws:

1. What is read within one commit delay goes to the disk together: one `fsync` for all buses. It is
   understood together, too: that costs less than for each poll before the next question.
2. A batch is numbered when it is made, 1, 2, 3 ... within this run of the agent.
3. What the disk does not take is counted by the spool, and what had to give way as well; both are
   said once when it begins and once when it ends. Polling goes on.
4. What was read before the clock could be believed goes the same way, in batches of its own that
   are stamped with the machine's running time and wait on the disk for their time (`undated`). It
   is understood before what has its time.
5. What was stamped while the clock was in doubt is marked so. What was read between two commits is,
   where it was in doubt at one of them: rather one too many than one too few.
6. Where the disk hangs, the memory has a bound: what does not fit is counted like what the disk
   does not take.
7. A cancel in the middle of a commit waits for the disk's word, and the books are as that word.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, Self

import msgspec

from edge_agent.spool.batch_queue import Row
from edge_agent.spool.spool import Spool
from edge_agent.timekeeping.clock_trust import EARLIEST_MS
from jieneng.metering import mqtt_messages
from jieneng.metering.errors import SpoolUnavailable
from jieneng.metering.reading import Batch, PollReport, Quality, Sample
from jieneng.observe import Log, LoggedFault

# Polls that wait for the disk: a day of 64 meters that are read every minute. What one heard takes
# 300 to 650 bytes, so that this stays below 65 MB.
_MOST: Final = 100_000
_AT_ONCE: Final = 100  # polls that are understood while no reply is listened to
_ROOM_AGAIN: Final = 0.9  # share of what was pending when some gave way, below which none do


class Polled(Protocol):
    """What the keeper has to know of a poll (`meter.PollResult`)."""

    @property
    def time_ms(self) -> int:
        """Its stamp."""

    @property
    def answered(self) -> bool:
        """Whether there is a sample of it."""

    def at(self, time_ms: int) -> Self:
        """The same, with another stamp."""

    def sample(self) -> Sample | None:
        """What was read."""

    def poll(self) -> PollReport:
        """How it went."""


class _GivingWay:
    """That readings are dropped, while it goes on: not every put has to drop something."""

    def __init__(self, fault: LoggedFault) -> None:
        self._fault = fault
        self._bytes = 0.0  # pending when the last ones were dropped

    def seen(self, dropped: int, pending_bytes: int, why: str = "") -> None:
        """A put has ended."""
        if dropped:
            self._bytes = pending_bytes
            self._fault.happened(f"{pending_bytes} bytes are pending{why}")
        elif pending_bytes < _ROOM_AGAIN * self._bytes:
            self._fault.over()


class BatchWriter:
    """Collects polls, and commits what they read."""

    def __init__(
        self,
        spool: Spool,
        *,
        agent: str,
        boot: str,
        delay_s: float,
        max_samples: int,
        undated: Callable[[int], int],
        in_doubt: Callable[[], bool] = lambda: False,
        log: Log,
    ) -> None:
        """Keep for a run of an agent.

        Args:
            spool: where to.
            agent: its id.
            boot: the name of this run.
            delay_s: how long the first poll waits for others, in real seconds.
            max_samples: in a batch; as many polls do not wait any longer.
            undated: makes a stamp of the machine's running time out of one of just now that can't
                be believed.
            in_doubt: tells whether stamps of just now may be wrong.
            log: for faults of the disk.
        """
        self._spool = spool
        self._agent = agent
        self._boot = boot
        self._delay_s = delay_s
        self._max_samples = max_samples
        self._dated: list[Polled] = []
        self._undated: list[Polled] = []  # of before the clock could be believed
        self._running_time = undated
        self._in_doubt = in_doubt
        self._was_in_doubt = in_doubt()  # at the last commit
        self._seq = 0
        self._owing = False  # the disk refused some, and does not know of it
        self._some = asyncio.Event()
        self._many = asyncio.Event()
        self._disk_fault = LoggedFault(log, "spool can't be written")
        self._hangs = LoggedFault(
            log, "the disk does not answer: readings that the memory has no room for are dropped"
        )
        self._full = _GivingWay(LoggedFault(log, "spool is full: the oldest readings are dropped"))
        self._old = _GivingWay(
            LoggedFault(log, "readings wait for too long: the oldest are dropped")
        )

    def keep(self, poll: Polled) -> None:
        """Take a poll; what was read in it is on the disk a commit delay later."""
        waiting = self._dated
        if poll.time_ms < EARLIEST_MS:
            waiting = self._undated
            poll = poll.at(self._running_time(poll.time_ms))
        waiting.append(poll)
        count = len(waiting)
        if count == 1:
            self._some.set()
        if count == self._max_samples:
            self._many.set()
        if count > _MOST:
            self._refuse(waiting.pop())

    def _refuse(self, poll: Polled) -> None:
        if poll.answered:
            self._hangs.happened(f"{_MOST} wait for it")
            self._spool.refuse(1)
            self._owing = True

    async def run(self) -> None:
        """Commit until cancelled, and what is left when that happens."""
        try:
            while True:
                await self._some.wait()
                try:
                    async with asyncio.timeout(self._delay_s):
                        await self._many.wait()
                except TimeoutError:
                    pass
                await self._commit()
        finally:
            await self._commit()

    async def _commit(self) -> None:
        dated, self._dated = self._dated, []
        undated, self._undated = self._undated, []
        self._some.clear()
        self._many.clear()
        self._hangs.over()
        if not (undated or dated or self._owing):
            return
        putting = asyncio.create_task(self._put(undated, dated), name="put")
        told_to_end: asyncio.CancelledError | None = None
        while not putting.done():
            try:
                await asyncio.wait([putting])
            except asyncio.CancelledError as error:
                told_to_end = error
        putting.result()
        if told_to_end is not None:
            raise told_to_end

    async def _put(self, undated: list[Polled], dated: list[Polled]) -> None:
        in_doubt = self._in_doubt()
        mark = Quality.CLOCK.value if in_doubt or self._was_in_doubt else 0
        self._was_in_doubt = in_doubt
        rows = [
            *await self._rows(undated, self._spool.machine, 0),
            *await self._rows(dated, None, mark),
        ]
        before = self._spool.counts
        try:
            await self._spool.put(rows)
        except SpoolUnavailable as error:
            self._owing = True
            self._disk_fault.happened(error)
            return
        self._owing = False
        self._disk_fault.over()
        now = self._spool.counts
        why = ", and the disk has no room for more" if self._spool.on_full_disk else ""
        self._full.seen(now.full - before.full, now.size_bytes, why)
        self._old.seen(now.old - before.old, now.size_bytes)

    async def _rows(self, waiting: list[Polled], machine: str | None, mark: int) -> list[Row]:
        """Understand what waits, mark it, and let go of it."""
        rows = []
        while waiting:
            samples: list[Sample] = []
            polls: list[PollReport] = []
            while waiting and len(polls) < self._max_samples:
                count = min(_AT_ONCE, self._max_samples - len(polls))
                some = waiting[:count]
                del waiting[:count]
                samples += [sample for one in some if (sample := one.sample()) is not None]
                polls += [one.poll() for one in some]
                await asyncio.sleep(0)
            if mark:
                replace = msgspec.structs.replace
                samples = [replace(one, quality=one.quality | mark) for one in samples]
            self._seq += 1
            batch = Batch(self._agent, self._boot, self._seq, tuple(samples), tuple(polls))
            payload = mqtt_messages.encode_batch(batch)
            rows.append(Row(self._boot, self._seq, len(samples), payload, machine))
        return rows
