"""The spool's file for the one thread that works on it: batches and their ledger in SQLite.

Laws:

1. A batch carries a checksum. A batch that comes back changed from the disk is dropped and counted,
   never handed out: a flipped digit would be a reading that no meter gave.
2. If less space is free on the disk than a write-ahead log takes, the file grows no more. When its
   pages are used up, the oldest batches are dropped for the new ones. A new reading without space
   even then is refused.
3. The age of a batch is the time that agents have run while it was here. A clock that jumps does
   not change it: years pass in one moment when a machine without a battery learns the time.

`spool_database` keeps the file usable, and holds the laws about a damaged file and a failing disk.
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
    """The queue, for its thread. Every method may raise `SpoolUnavailable`.

    Attributes:
        snapshot: the counts, with refused samples that the disk does not know of, and how many
            samples had been refused before they reached this thread. One value, because another
            thread reads it.
        is_disk_full: True if the last `put` found no space on the disk for a larger file.
        disk_used: used share of the disk at the last `put`, 0 to 1; None before the first one.
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
        self._oldest_put_s: float | None = None  # time on `now_s` of the oldest put
        self._database = SpoolDatabase(path, max_bytes, log, machine_boot=machine_boot, now_s=now_s)
        self._damage = LoggedFault(log, "batches were damaged on the disk, and dropped")

    @property
    def known(self) -> SampleCounts:
        """Counts, with refused samples that the disk does not know of."""
        return self.snapshot[0]

    @property
    def has_undated(self) -> bool:
        """True if batches may be waiting for their times; `assign_times` finds out."""
        return self._database.has_undated

    @property
    def age_s(self) -> float:
        """Age of the oldest batch in running time [s]; 0 if there is none."""
        since_s = self._oldest_put_s
        return 0.0 if since_s is None else max(self._now_s() - since_s, 0.0)

    def open(self) -> None:
        """Open or make the file. A disk that is full or failing is no error: it is tried again."""
        try:
            self._transact(lambda _: None)
        except SpoolUnavailable as error:
            if not self._database.is_transient(error.__cause__):
                raise
            self._database.recall()
            self.snapshot = (self._database.known, self.snapshot[1])

    def put(self, rows: Sequence[QueuedBatch], refused_in_memory: int = 0) -> None:
        """Append batches, and drop those that are too many or too old.

        Args:
            rows: the batches, in the order in which they were read.
            refused_in_memory: samples refused since the start before they reached this thread.
        """
        database = self._database
        if new := refused_in_memory - self.snapshot[1]:
            database.unrecorded += new
            self._set_counts(self.known.with_refused(new), new)
        samples = sum(row.samples for row in rows)
        has_undated = any(row.machine_boot is not None for row in rows)

        def work(db: sqlite3.Connection) -> None:
            # Set beforehand: a commit that reports an error may have reached the disk all the same.
            database.has_undated = database.has_undated or has_undated
            running_s = self._now_s() - database.began_s
            self.is_disk_full = database.reserve.is_disk_nearly_full()
            self.disk_used = database.reserve.disk_used
            if self.is_disk_full:  # the file grows no more
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
        """Return both ends of the part of the queue that can be sent.

        Args:
            limit: largest number of batches of each end.
            in_flight: batches for which the result says whether they have left the queue.
            parked: row id behind which parked batches are returned too, and their largest number.
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
        """Take batches out of the two ends of the queue, and return how many were there."""
        return self._transact(lambda db: parked_batches.park(db, keys))

    def read(self, keys: Sequence[BatchKey]) -> list[QueuedBatch]:
        """Return batches by name. Damaged ones leave the queue, and are counted."""
        before = self.known.damaged
        rows = self._transact(lambda db: batch_queue.read_batches(db, keys))
        self._log_damaged(before)
        return rows

    def cut(
        self, key: BatchKey, limit_bytes: float, boot: str, take_number: Callable[[], int]
    ) -> int:
        """Cut a batch into parts that fit, and return their number; 1 or 0 if that can't be done.

        Args:
            key: name of the batch.
            limit_bytes: largest payload.
            boot: boot id of the present run, of which the parts get new names.
            take_number: returns the next sequence number of that run.
        """
        taken: list[int] = []

        def work(db: sqlite3.Connection) -> int:
            again = iter(taken[:])  # numbers of an attempt that was undone leave no gap

            def number() -> int:
                if (one := next(again, None)) is None:
                    taken.append(one := take_number())
                return one

            return batch_cutting.cut_queued(db, key, limit_bytes, boot, number)

        return self._transact(work)

    def assign_times(self, machine_started_ms: int) -> None:
        """Give some undated batches their times, from the UTC start time of the machine."""
        before = self.known.damaged
        self._database.has_undated = self._transact(
            lambda db: undated_batches.assign_times(db, machine_started_ms)
        )
        self._log_damaged(before)

    def confirm(self, acks: Sequence[Ack]) -> int:
        """Remove acknowledged batches, and return how many were removed."""
        return self._transact(
            lambda db: sum(batch_queue.remove_acknowledged(db, ack) for ack in acks)
        )

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _transact(
        self, work: Callable[[sqlite3.Connection], _T], *, records_refused: bool = False
    ) -> _T:
        """Run `work` in one transaction, and take over the counts.

        Args:
            work: what to do.
            records_refused: True if `work` writes the refused samples to the ledger.
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
