"""The disk queue for the event loop: batches stay here until the ingest has stored them.

Laws:

1. When `put` returns, the batches survive the death of the process and of the machine.
2. A batch leaves only by `confirm`, as the oldest of a full spool, or as too old. Each is counted
   in the same transaction: `read = stored + quarantined + pending + dropped`, in samples, at any
   moment and over restarts. A batch that was sent and is dropped before its acknowledgement counts
   as dropped, even if the ingest has stored it: the counts may report too much loss, but never too
   little. A full spool drops batches without samples before any that has some.
3. Samples that the disk does not accept count as dropped at once in memory, and on the disk as soon
   as it can be written again.
4. A batch that can't pass is parked (`parked_batches`): it stays pending, and no batch waits behind
   it.
5. Undated batches are kept, counted and limited like the rest, and are not sent before they have
   their times (`undated_batches`).

`spool_file` works on the disk, on a thread of its own; `spool_database` holds the laws about faults
of the disk.
"""

import asyncio
import math
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from edge_agent.spool.queued_batch import BatchKey, QueuedBatch, QueueEnds
from edge_agent.spool.sample_counts import SampleCounts
from edge_agent.spool.spool_file import SpoolFile
from jieneng.metering.reading import Ack
from jieneng.observe import Log

_T = TypeVar("_T")


class Spool:
    """The queue, for the event loop. Every coroutine but `close` may raise `SpoolUnavailable`.

    Attributes:
        changed: set whenever a batch came or left; cleared by the task that waits for it.
        machine_boot: boot id of the machine.
    """

    def __init__(
        self,
        path: Path,
        max_bytes: int,
        log: Log,
        *,
        machine_boot: str = "",
        max_age_s: float = math.inf,
    ) -> None:
        """Name the file; nothing is touched yet.

        Args:
            path: path of the file.
            max_bytes: most payload that the file may hold [bytes].
            log: for faults of the file.
            machine_boot: boot id of the machine (`jieneng.clock`).
            max_age_s: longest time that a batch may stay, counted while an agent runs [s].
        """
        self.changed: Final = asyncio.Event()
        self.machine_boot: Final = machine_boot
        self._file = SpoolFile(path, max_bytes, log, machine_boot=machine_boot, max_age_s=max_age_s)
        self._max_bytes = max_bytes
        self._thread = ThreadPoolExecutor(1, "spool")
        self._refused_in_memory = (
            0  # samples since the start that were refused before they reached the thread
        )

    @property
    def counts(self) -> SampleCounts:
        """Counts after the last operation, with refused samples that the disk does not know of."""
        known, heard = self._file.snapshot
        return (
            known.with_refused(self._refused_in_memory - heard)
            if heard < self._refused_in_memory
            else known
        )

    @property
    def age_s(self) -> float:
        """Age of the oldest batch in running time [s]; 0 if there is none."""
        return self._file.age_s

    @property
    def has_undated(self) -> bool:
        """True if batches may be waiting for their times; `assign_times` finds out."""
        return self._file.has_undated

    @property
    def is_disk_full(self) -> bool:
        """True if the last `put` found no space on the disk for a larger file."""
        return self._file.is_disk_full

    @property
    def used_share(self) -> float:
        """Size of the pending payload, as share of the spool's limit."""
        return self.counts.size_bytes / self._max_bytes

    @property
    def disk_used(self) -> float | None:
        """Used share of the disk at the last `put`, 0 to 1; None before the first one."""
        return self._file.disk_used

    async def open(self) -> None:
        """Open or make the file. A disk that can't be written at the moment is no error here."""
        await self._run(self._file.open)

    async def put(self, rows: Sequence[QueuedBatch]) -> None:
        """Append batches in the order in which they were read; the oldest are dropped for them."""
        refused_in_memory = self._refused_in_memory
        await self._run(lambda: self._file.put(rows, refused_in_memory))
        self.changed.set()

    def count_refused(self, samples: int) -> None:
        """Count samples as read and refused now; the next `put` writes that to the disk."""
        self._refused_in_memory += samples

    async def peek(self, limit: int) -> list[QueuedBatch]:
        """Return the oldest batches; they stay in the queue."""
        ends = await self.ends(limit)
        return await self.read([one.key for one in ends.oldest])

    async def ends(
        self,
        limit: int,
        in_flight: Collection[BatchKey] = (),
        parked: tuple[int, int] | None = None,
    ) -> QueueEnds:
        """Return both ends of the queue, and which batches in flight are no longer in it.

        Args:
            limit: largest number of batches of each end.
            in_flight: batches for which the result says whether they have left the queue.
            parked: row id behind which parked batches are returned too, and their largest number.
        """
        return await self._run(lambda: self._file.ends(limit, in_flight, parked))

    async def park(self, keys: Sequence[BatchKey]) -> None:
        """Take batches out of the two ends of the queue: they are tried again apart from it."""
        await self._run(lambda: self._file.park(keys))

    async def read(self, keys: Sequence[BatchKey]) -> list[QueuedBatch]:
        """Return those of the named batches that are in the queue; they stay in it."""
        return await self._run(lambda: self._file.read(keys))

    async def cut(
        self, key: BatchKey, limit_bytes: float, boot: str, take_number: Callable[[], int]
    ) -> int:
        """Cut a batch into parts that fit, and return their number; 1 or 0 if that can't be done.

        Args:
            key: name of the batch.
            limit_bytes: largest payload.
            boot: boot id of the present run, of which the parts get new names.
            take_number: returns the next sequence number of that run, on any thread.
        """
        parts = await self._run(lambda: self._file.cut(key, limit_bytes, boot, take_number))
        self.changed.set()
        return parts

    async def assign_times(self, machine_started_ms: int) -> None:
        """Give some undated batches their times, from the UTC start time of the machine."""
        await self._run(lambda: self._file.assign_times(machine_started_ms))
        self.changed.set()

    async def confirm(self, acks: Sequence[Ack]) -> int:
        """Remove batches that were stored or quarantined: both are safe with the ingest.

        Returns:
            The number of batches removed.
        """
        left = await self._run(lambda: self._file.confirm(acks))
        self.changed.set()
        return left

    async def close(self) -> None:
        """Close the file, after all operations begun before."""
        await self._run(self._file.close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[], _T]) -> _T:
        # Shielded: otherwise a `put` that is cancelled before the thread begins it would be lost.
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._thread, work))
