"""The disk queue for the event loop: keep batches on disk until the ingest has stored them.

Laws:

1. When `put` returns, the batches survive a crash of the process and of the machine.
2. A batch is removed in three cases only: it is confirmed (`confirm`), it is the oldest in a full
   spool, or it is too old. Its samples are counted in the same transaction. At any moment, also
   after restarts, `read = stored + quarantined + pending + dropped`.
3. If a batch is dropped after it was sent and before it is acknowledged, it counts as dropped, even
   if the ingest has stored it. So the counts may show too much loss, but never too little.
4. A full spool drops batches without samples before batches with samples.
5. Samples that the disk does not accept are counted as dropped: at once in memory, and on the disk
   as soon as it can be written again.
6. Parked batches (`parked_batches`) stay pending, and other batches do not wait for them.
7. Undated batches are stored, counted and limited like all others. They are not sent before they
   have their UTC times (`undated_batches`).

`spool_file` does the work, on a separate thread. `spool_database` handles faults of the disk.
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
    """The disk queue. Every coroutine except `close` may raise `SpoolUnavailable`.

    Attributes:
        changed: set whenever a batch was added or removed; cleared by the task that waits for it.
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
        """Create the object. The file is opened by `open`.

        Args:
            path: path of the file.
            max_bytes: largest total payload of the batches in the file [bytes].
            log: log for faults of the file.
            machine_boot: boot id of the machine (`jieneng.clock`).
            max_age_s: longest time that a batch may stay, counted while an agent runs [s].
        """
        self.changed: Final = asyncio.Event()
        self.machine_boot: Final = machine_boot
        self._file = SpoolFile(path, max_bytes, log, machine_boot=machine_boot, max_age_s=max_age_s)
        self._max_bytes = max_bytes
        self._thread = ThreadPoolExecutor(1, "spool")
        self._refused_in_memory = (
            0  # samples since the start that were refused before the thread received them
        )

    @property
    def counts(self) -> SampleCounts:
        """Present counts, including refused samples that are not yet counted on the disk."""
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
        """True if some batches may be waiting for their UTC times."""
        return self._file.has_undated

    @property
    def is_disk_full(self) -> bool:
        """True if the disk had no space for a larger file at the last `put`."""
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
        """Open or create the file. A disk that can't be written at present raises no error."""
        await self._run(self._file.open)

    async def put(self, rows: Sequence[QueuedBatch]) -> None:
        """Append batches in the order in which they were read. A full spool drops its oldest."""
        refused_in_memory = self._refused_in_memory
        await self._run(lambda: self._file.put(rows, refused_in_memory))
        self.changed.set()

    def count_refused(self, samples: int) -> None:
        """Count samples as read and refused. The next `put` writes this count to the disk."""
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
        """Return both ends of the queue, and the batches in flight that are no longer in it.

        Args:
            limit: largest number of batches from each end.
            in_flight: batches to check: `QueueEnds.gone` contains those no longer in the queue.
            parked: (row id, number) to return this number of parked batches after the row id, too;
                None for no parked batches.
        """
        return await self._run(lambda: self._file.ends(limit, in_flight, parked))

    async def park(self, keys: Sequence[BatchKey]) -> None:
        """Park batches: leave them out of both ends of the queue (`parked_batches`)."""
        await self._run(lambda: self._file.park(keys))

    async def read(self, keys: Sequence[BatchKey]) -> list[QueuedBatch]:
        """Return the batches with these names, as far as they are in the queue; they stay there."""
        return await self._run(lambda: self._file.read(keys))

    async def cut(
        self, key: BatchKey, limit_bytes: float, boot: str, take_number: Callable[[], int]
    ) -> int:
        """Cut a batch into parts of at most `limit_bytes`, and return the number of parts.

        Args:
            key: name of the batch.
            limit_bytes: largest payload of a part.
            boot: boot id of the present run, for the names of the parts.
            take_number: returns the next sequence number of the present run; called on any thread.

        Returns:
            The number of parts: 1 if the batch can't be cut further, 0 if it is missing or can't be
            decoded.
        """
        parts = await self._run(lambda: self._file.cut(key, limit_bytes, boot, take_number))
        self.changed.set()
        return parts

    async def assign_times(self, machine_started_ms: int) -> None:
        """Give some undated batches their UTC times, computed from the machine's start time."""
        await self._run(lambda: self._file.assign_times(machine_started_ms))
        self.changed.set()

    async def confirm(self, acks: Sequence[Ack]) -> int:
        """Remove batches that the ingest has stored or quarantined.

        Returns:
            The number of removed batches.
        """
        left = await self._run(lambda: self._file.confirm(acks))
        self.changed.set()
        return left

    async def close(self) -> None:
        """Close the file, after all operations begun before."""
        await self._run(self._file.close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[], _T]) -> _T:
        # Shielded, because a `put` that is cancelled before the thread has begun it would be lost.
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._thread, work))
