"""Add, read and remove the batches in the spool's SQLite file, and count their samples.

Only one thread may use the file.

Laws:

1. Each batch has a checksum. A batch that was damaged on the disk is dropped and counted, and never
   returned: a changed digit would be a false reading.
2. If the disk has less free space than one write-ahead log, the file does not grow any more. When
   its pages are used up, the oldest batches are dropped for new ones. If even this gives too little
   space, the new readings are refused.
3. The age of a batch is the time that agents have run since it was put. It does not depend on UTC,
   which jumps by years when a machine without a battery gets the right time.

`spool_database` handles a damaged file and a failing disk.
"""

import math
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from edge_agent.spool import batch_cutting, batch_queue, parked_batches, undated_batches
from edge_agent.spool.queued_batch import BatchKey, QueuedBatch, QueueEnds
from edge_agent.spool.sample_counts import SampleCounts
from edge_agent.spool.spool_database import SpoolDatabase
from jieneng.metering.errors import SpoolUnavailable
from jieneng.metering.reading import Ack
from jieneng.observe import Log, LoggedFault

_T = TypeVar("_T")


class SpoolFile:
    """The queue in the spool's file. Every method may raise `SpoolUnavailable`.

    Attributes:
        snapshot: (counts, number). The counts include refused samples that are not yet counted on
            the disk. The number is that of all samples refused before this thread received them. It
            is one value, so that another thread reads both consistently.
        is_disk_full: True if the disk had no space for a larger file at the last `put`.
        disk_used: used share of the disk at the last `put`, 0 to 1; None before the first `put`.
    """

    def __init__(
        self,
        path: Path,
        max_bytes: int,
        log: Log,
        *,
        machine_boot: str = "",
        max_age_s: float = math.inf,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.snapshot = (SampleCounts(), 0)
        self.is_disk_full = False
        self.disk_used: float | None = None
        self._path = path
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._now_s = now_s
        self._oldest_put_s: float | None = None  # time at which the oldest batch was put
        self._database = SpoolDatabase(path, max_bytes, log, machine_boot=machine_boot, now_s=now_s)
        self._damage = LoggedFault(log, "batches were damaged on the disk, and dropped")

    @property
    def known(self) -> SampleCounts:
        """Present counts, including refused samples that are not yet counted on the disk."""
        return self.snapshot[0]

    @property
    def has_undated(self) -> bool:
        """True if some batches may be waiting for their UTC times."""
        return self._database.has_undated

    @property
    def age_s(self) -> float:
        """Age of the oldest batch in running time [s]; 0 if there is none."""
        since_s = self._oldest_put_s
        return 0.0 if since_s is None else max(self._now_s() - since_s, 0.0)

    def open(self) -> None:
        """Open or create the file. If the disk is full or failing, later calls try again."""
        try:
            self._transact(lambda _: None)
        except SpoolUnavailable as error:
            if not self._database.is_transient(error.__cause__):
                raise
            self._database.recall()
            self.snapshot = (self._database.known, self.snapshot[1])

    def put(self, rows: Sequence[QueuedBatch], refused_in_memory: int = 0) -> None:
        """Append batches, and drop batches that exceed the limit or are too old.

        Args:
            rows: the batches, in the order in which they were read.
            refused_in_memory: number of samples since the start that were refused before this
                thread received them.
        """
        database = self._database
        if new := refused_in_memory - self.snapshot[1]:
            database.unrecorded += new
            self._set_counts(self.known.with_refused(new), new)
        samples = sum(row.samples for row in rows)
        has_undated = any(row.machine_boot is not None for row in rows)

        def work(db: sqlite3.Connection) -> None:
            # Set before the commit, because a commit that reports an error may have succeeded.
            database.has_undated = database.has_undated or has_undated
            running_s = self._now_s() - database.began_s
            self.is_disk_full = database.reserve.is_disk_nearly_full()
            self.disk_used = database.reserve.disk_used
            if self.is_disk_full:  # the file must not grow
                batch_queue.drop_to_free_pages(db, batch_queue.pages_needed(rows))
            batch_queue.insert_batches(db, rows, running_s)
            batch_queue.count_read(db, samples, database.unrecorded, running_s)
            batch_queue.drop_put_before(db, running_s - self._max_age_s)
            batch_queue.drop_above_max_bytes(db, self._max_bytes)

        try:
            self._transact(work, records_refused=True)
        except SpoolUnavailable:
            database.unrecorded += samples
            self._set_counts(self.known.with_refused(samples))
            raise

    def ends(
        self, limit: int, in_flight: Collection[BatchKey], parked: tuple[int, int] | None = None
    ) -> QueueEnds:
        """Return both ends of the queue, without parked and undated batches.

        Args:
            limit: largest number of batches from each end.
            in_flight: batches to check: `QueueEnds.gone` contains those no longer in the queue.
            parked: (row id, number) to return this number of parked batches after the row id, too;
                None for no parked batches.
        """

        def work(db: sqlite3.Connection) -> QueueEnds:
            ends = batch_queue.queue_ends(
                db,
                limit,
                in_flight,
                undated_batches.undated_id_range(db) if self.has_undated else None,
            )
            if parked is None:
                return ends
            return msgspec.structs.replace(ends, parked=parked_batches.parked_after(db, *parked))

        return self._transact(work)

    def park(self, keys: Sequence[BatchKey]) -> int:
        """Park batches, and return how many of them were in the queue and not yet parked."""
        return self._transact(lambda db: parked_batches.park(db, keys))

    def read(self, keys: Sequence[BatchKey]) -> list[QueuedBatch]:
        """Return batches by name. Damaged batches are removed from the queue and counted."""
        before = self.known.damaged
        rows = self._transact(lambda db: batch_queue.read_batches(db, keys))
        self._log_damaged(before)
        return rows

    def cut(
        self, key: BatchKey, limit_bytes: float, boot: str, take_number: Callable[[], int]
    ) -> int:
        """Cut a batch into parts of at most `limit_bytes`, and return the number of parts.

        Args:
            key: name of the batch.
            limit_bytes: largest payload of a part.
            boot: boot id of the present run, for the names of the parts.
            take_number: returns the next sequence number of the present run.

        Returns:
            The number of parts: 1 if the batch can't be cut further, 0 if it is missing or can't be
            decoded.
        """
        taken: list[int] = []

        def work(db: sqlite3.Connection) -> int:
            again = iter(taken[:])  # a repeated attempt uses the numbers of the failed one

            def number() -> int:
                if (one := next(again, None)) is None:
                    taken.append(one := take_number())
                return one

            return batch_cutting.cut_queued(db, key, limit_bytes, boot, number)

        return self._transact(work)

    def assign_times(self, machine_started_ms: int) -> None:
        """Give some undated batches their UTC times, computed from the machine's start time."""
        before = self.known.damaged
        self._database.has_undated = self._transact(
            lambda db: undated_batches.assign_times(db, machine_started_ms)
        )
        self._log_damaged(before)

    def confirm(self, acks: Sequence[Ack]) -> int:
        """Remove acknowledged batches, and return their number."""
        return self._transact(
            lambda db: sum(batch_queue.remove_acknowledged(db, ack) for ack in acks)
        )

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _transact(
        self, work: Callable[[sqlite3.Connection], _T], *, records_refused: bool = False
    ) -> _T:
        """Run `work` in one transaction, and update `snapshot`.

        Args:
            work: function that uses the connection.
            records_refused: True if `work` writes the number of refused samples to the ledger.
        """
        database = self._database
        counts, (done, oldest_s) = database.transact(
            lambda db: (work(db), batch_queue.oldest_put_s(db))
        )
        if records_refused:
            database.unrecorded = 0
        self._oldest_put_s = None if oldest_s is None else database.began_s + oldest_s
        self._set_counts(counts.with_refused(database.unrecorded))
        return done

    def _log_damaged(self, before: int) -> None:
        if self.known.damaged > before:
            self._damage.report("their checksums are wrong", path=str(self._path))

    def _set_counts(self, counts: SampleCounts, refused_in_memory: int = 0) -> None:
        if counts != self.known:
            self.snapshot = (counts, self.snapshot[1] + refused_in_memory)
            self._database.remember(counts)
