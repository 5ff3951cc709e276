"""The disk queue: batches stay here from the moment they are read until the ingest has stored them.

Laws:

1. When `put` returns, the batches survive the death of the process and of the machine.
2. A batch leaves only by `confirm`, or as the oldest of a spool that is full or of batches that are
   too old, and both are counted in the same transaction: `read = stored + pending + dropped`, at
   any moment, over restarts, in samples. One that was sent and gives way before it is acknowledged
   counts as dropped, stored or not: too much is said to be lost then, and never too little. Of a
   full spool, batches that hold no sample go before any that does.
3. What the disk does not take is counted as dropped at once, here, and on the disk as soon as that
   can be written again.
4. What has no time yet is kept, counted and bounded like the rest, and is not sent before it has
   (`undated`).

What holds on the disk, and in spite of it, stands in `spool_file`, which works on a thread of its
own; this is its door for the event loop.
"""

import asyncio
import math
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from edge_agent.publishing.in_flight import Ends, Key
from edge_agent.spool.batch_queue import Row
from edge_agent.spool.sample_counts import Counts
from edge_agent.spool.spool_file import SpoolFile
from jieneng.metering.reading import Ack
from jieneng.observe import Log

_T = TypeVar("_T")


class Spool:
    """The queue, for the event loop. Every coroutine but `close` may raise `SpoolUnavailable`.

    Attributes:
        changed: set whenever something came or went; who waits on it clears it.
        machine: which start of the machine this is.
    """

    def __init__(
        self,
        path: Path,
        max_bytes: int,
        log: Log,
        *,
        machine: str = "",
        max_age_s: float = math.inf,
    ) -> None:
        """Name the file; nothing is touched yet.

        Args:
            path: of the file.
            max_bytes: of payload, that it may hold.
            log: for what is wrong with the file.
            machine: which start of the machine this is (`jieneng.clock`).
            max_age_s: that a batch may stay, counted while an agent runs.
        """
        self.changed: Final = asyncio.Event()
        self.machine: Final = machine
        self._file = SpoolFile(path, max_bytes, log, machine=machine, max_age_s=max_age_s)
        self._thread = ThreadPoolExecutor(1, "spool")
        self._unfit = 0  # samples, since the start, that never got to the file's thread

    @property
    def counts(self) -> Counts:
        """As of the last thing done, with what was refused and is not on the disk yet."""
        known, heard = self._file.said
        return known.with_refused(self._unfit - heard) if heard < self._unfit else known

    @property
    def age_s(self) -> float:
        """How long the oldest batch has been here, in running time; 0 where there is none."""
        return self._file.age_s

    @property
    def waits(self) -> bool:
        """Whether some wait for their time. Perhaps none does any more, as `date` will find out."""
        return self._file.waits

    @property
    def on_full_disk(self) -> bool:
        """Whether the last `put` found that the disk has no room for a larger file."""
        return self._file.on_full_disk

    async def open(self) -> None:
        """Open or make the file. A disk that can't be written at the moment is no error here."""
        await self._run(self._file.open)

    async def put(self, rows: Sequence[Row]) -> None:
        """Keep batches, in the order in which they were read. The oldest give way to them."""
        unfit = self._unfit
        await self._run(lambda: self._file.put(rows, unfit))
        self.changed.set()

    def refuse(self, samples: int) -> None:
        """Count so many as read and refused, at once; the disk hears of it with the next `put`."""
        self._unfit += samples

    async def peek(self, most: int) -> list[Row]:
        """The oldest batches; they stay."""
        ends = await self.ends(most)
        return await self.read([one.key for one in ends.oldest])

    async def ends(self, most: int, under_way: Collection[Key] = ()) -> Ends:
        """The names at both ends of the queue, and which of those under way are no longer in it."""
        return await self._run(lambda: self._file.ends(most, under_way))

    async def read(self, keys: Sequence[Key]) -> list[Row]:
        """These batches, as far as they are there; they stay."""
        return await self._run(lambda: self._file.read(keys))

    async def date(self, start_ms: int) -> None:
        """Give some of those that wait their time: UTC of the moment when the machine started."""
        await self._run(lambda: self._file.date(start_ms))
        self.changed.set()

    async def confirm(self, acks: Sequence[Ack]) -> int:
        """Remove what is stored, or quarantined: both are safe with the ingest.

        Returns:
            How many batches left.
        """
        left = await self._run(lambda: self._file.confirm(acks))
        self.changed.set()
        return left

    async def close(self) -> None:
        """Close the file, after everything begun before."""
        await self._run(self._file.close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[], _T]) -> _T:
        # Shielded: what was begun is ended, or a cancelled `put` could be lost unbegun.
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._thread, work))
