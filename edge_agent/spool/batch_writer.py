"""Group polls into numbered batches, and write them to the spool.

Laws:

1. All polls that end within one commit delay are decoded together and written in one transaction,
   with one `fsync` for all buses.
2. Batches are numbered 1, 2, 3 ... within a run of the agent. If a batch is cut in the queue, its
   parts take their numbers from the same sequence.
3. If the disk does not accept samples, or if samples are dropped to make room, the spool counts
   them, and polling continues. Each fault is logged once when it begins and once when it ends.
4. Polls that were made before the clock was plausible are written in separate batches. Their time
   stamps are in the machine's running time, and are converted to UTC later (`undated_batches`).
   They are decoded before other polls.
5. Samples are marked if the clock was not set when they were read. The state of the clock is known
   only at commits: all samples between two commits are marked if the clock was not set at either
   of them.
6. If the disk does not respond, waiting polls are kept in memory, up to a limit. Polls beyond the
   limit are counted as refused.
7. A batch that is larger than the broker accepts is cut (`batch_cutting`).
8. If the writer is cancelled during a commit, it waits until the commit has succeeded or failed, so
   that the counts are right.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, Self

import msgspec

from edge_agent.spool.batch_cutting import encode_parts
from edge_agent.spool.queued_batch import QueuedBatch
from edge_agent.spool.spool import Spool
from edge_agent.timekeeping.clock_trust import EARLIEST_MS
from jieneng.metering import mqtt_messages
from jieneng.metering.errors import SpoolUnavailable
from jieneng.metering.reading import Batch, PollReport, Quality, Sample
from jieneng.observe import Log, LoggedFault

# Largest number of polls that wait for the disk: one day of 64 meters that are read every minute. A
# poll takes 300 to 650 bytes, so they need less than 65 MB.
_MAX_WAITING: Final = 100_000
_CHUNK: Final = 100  # number of polls that are decoded between two turns of the event loop
_CLEAR_SHARE: Final = 0.9  # the fault ends if fewer bytes are pending than this share of `_bytes`


class FinishedPoll(Protocol):
    """The part of `polled_meter.PollResult` that the writer needs."""

    @property
    def time_ms(self) -> int:
        """Time stamp [ms]."""

    @property
    def answered(self) -> bool:
        """True if the poll has a sample."""

    def with_time(self, time_ms: int) -> Self:
        """Return the result with another time stamp."""

    def sample(self) -> Sample | None:
        """Return the decoded sample."""

    def report(self) -> PollReport:
        """Return the report of the poll."""


class _DropFault:
    """The logged fault "readings are dropped". It lasts until clearly fewer bytes are pending."""

    def __init__(self, fault: LoggedFault) -> None:
        self._fault = fault
        self._bytes = 0.0  # bytes pending at the last drop

    def update(self, dropped: int, pending_bytes: int, detail: str = "") -> None:
        """Begin or end the fault after a put."""
        if dropped:
            self._bytes = pending_bytes
            self._fault.report(f"{pending_bytes} bytes are pending{detail}")
        elif pending_bytes < _CLEAR_SHARE * self._bytes:
            self._fault.clear()


class BatchWriter:
    """Writes the batches of one run of an agent."""

    def __init__(
        self,
        spool: Spool,
        *,
        agent: str,
        boot: str,
        delay_s: float,
        max_samples: int,
        max_payload_bytes: Callable[[], float],
        take_number: Callable[[], int],
        to_running_time: Callable[[int], int],
        is_clock_unset: Callable[[], bool],
        log: Log,
    ) -> None:
        """Create a writer without waiting polls.

        Args:
            spool: receives the batches.
            agent: id of the agent.
            boot: boot id of this run.
            delay_s: commit delay: time for which the first poll waits for others [real s].
            max_samples: number of waiting polls that are committed without further delay; also the
                largest number of samples in a batch.
            max_payload_bytes: returns the largest payload that the broker accepts.
            take_number: returns the next sequence number of this run.
            to_running_time: converts a recent implausible time stamp to the machine's running time.
            is_clock_unset: returns True if present time stamps may be wrong.
            log: log for faults of the disk.
        """
        self._spool = spool
        self._agent = agent
        self._boot = boot
        self._delay_s = delay_s
        self._max_samples = max_samples
        self._max_payload_bytes = max_payload_bytes
        self._take_number = take_number
        self._dated: list[FinishedPoll] = []
        self._undated: list[FinishedPoll] = []  # polls from before the clock was plausible
        self._to_running_time = to_running_time
        self._is_clock_unset = is_clock_unset
        self._was_clock_unset = is_clock_unset()  # state at the last commit
        self._has_unrecorded_refusals = False  # True if the ledger lacks some refused samples
        self._first_waiting = asyncio.Event()
        self._batch_full = asyncio.Event()
        self._disk_fault = LoggedFault(log, "spool can't be written")
        self._disk_error = ""  # reason of the last failed write
        self._memory_fault = LoggedFault(
            log, "the disk does not respond, and the memory is full: readings are dropped"
        )
        self._full_fault = _DropFault(
            LoggedFault(log, "spool is full: the oldest readings are dropped")
        )
        self._old_fault = _DropFault(
            LoggedFault(log, "readings wait for too long: the oldest are dropped")
        )

    def add(self, poll: FinishedPoll) -> None:
        """Add the result of a poll. Its sample is on the disk one commit delay later."""
        waiting = self._dated
        if poll.time_ms < EARLIEST_MS:
            waiting = self._undated
            poll = poll.with_time(self._to_running_time(poll.time_ms))
        waiting.append(poll)
        count = len(waiting)
        if count == 1:
            self._first_waiting.set()
        if count == self._max_samples:
            self._batch_full.set()
        if count > _MAX_WAITING:
            self._refuse(waiting.pop())

    def _refuse(self, poll: FinishedPoll) -> None:
        if poll.answered:
            self._memory_fault.report(f"{_MAX_WAITING} polls wait for the disk")
            self._spool.count_refused(1)
            self._has_unrecorded_refusals = True

    def faults(self) -> list[str]:
        """Return the reason for which readings are dropped at present, if there is one."""
        return [self._disk_error] if self._disk_fault.occurrences else []

    async def run(self) -> None:
        """Commit until cancelled, and then commit the remaining polls."""
        try:
            while True:
                await self._first_waiting.wait()
                try:
                    async with asyncio.timeout(self._delay_s):
                        await self._batch_full.wait()
                except TimeoutError:
                    pass
                await self._commit()
        finally:
            await self._commit()

    async def _commit(self) -> None:
        dated, self._dated = self._dated, []
        undated, self._undated = self._undated, []
        self._first_waiting.clear()
        self._batch_full.clear()
        self._memory_fault.clear()
        if not (undated or dated or self._has_unrecorded_refusals):
            return
        putting = asyncio.create_task(self._put(undated, dated), name="put")
        cancelled: asyncio.CancelledError | None = None
        while not putting.done():
            try:
                await asyncio.wait([putting])
            except asyncio.CancelledError as error:
                cancelled = error
        putting.result()
        if cancelled is not None:
            raise cancelled

    async def _put(self, undated: list[FinishedPoll], dated: list[FinishedPoll]) -> None:
        is_clock_unset = self._is_clock_unset()
        clock_flag = Quality.CLOCK.value if is_clock_unset or self._was_clock_unset else 0
        self._was_clock_unset = is_clock_unset
        rows = [
            *await self._encoded_batches(undated, self._spool.machine_boot, 0),
            *await self._encoded_batches(dated, None, clock_flag),
        ]
        before = self._spool.counts
        try:
            await self._spool.put(rows)
        except SpoolUnavailable as error:
            self._has_unrecorded_refusals = True
            self._disk_fault.report(error)
            self._disk_error = str(error)
            return
        self._has_unrecorded_refusals = False
        self._disk_fault.clear()
        now = self._spool.counts
        detail = ", and the disk has no room for more" if self._spool.is_disk_full else ""
        self._full_fault.update(now.full - before.full, now.size_bytes, detail)
        self._old_fault.update(now.old - before.old, now.size_bytes)

    async def _encoded_batches(
        self, waiting: list[FinishedPoll], machine: str | None, clock_flag: int
    ) -> list[QueuedBatch]:
        """Decode waiting polls, mark their samples, and encode them as batches."""
        rows = []
        while waiting:
            samples: list[Sample] = []
            polls: list[PollReport] = []
            while waiting and len(polls) < self._max_samples:
                count = min(_CHUNK, self._max_samples - len(polls))
                some = waiting[:count]
                del waiting[:count]
                samples += [sample for one in some if (sample := one.sample()) is not None]
                polls += [one.report() for one in some]
                await asyncio.sleep(0)
            if clock_flag:
                replace = msgspec.structs.replace
                samples = [replace(one, quality=one.quality | clock_flag) for one in samples]
            batch = Batch(
                self._agent, self._boot, self._take_number(), tuple(samples), tuple(polls)
            )
            payload = mqtt_messages.encode_batch(batch)
            if len(payload) <= (limit := self._max_payload_bytes()):
                rows.append(QueuedBatch(self._boot, batch.seq, len(samples), payload, machine))
            else:
                rows += encode_parts(batch, limit, machine, self._boot, self._take_number)
        return rows
