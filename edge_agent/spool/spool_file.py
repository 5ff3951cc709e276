"""The spool's file for the one thread that works on it: batches and their ledger in SQLite.

Laws:

1. A batch carries a checksum. A batch that the disk returns changed is dropped and counted, never
   handed out: a flipped digit would be a reading that no meter gave.
2. A damaged file is set aside under another name. Its readable batches go into a new file
   (`rescue`), and the others count as dropped. The counts continue; if the file lost some of its
   own without an error, the copy beside it (`CountsCopy`) tells.
3. A full disk never locks the queue. From its beginning the file holds as many pages as the reserve
   (`disk_reserve`), free ones until they are used: so many batches fit on any disk. If less space
   is free than a write-ahead log (WAL) takes, the file grows no more, and when its pages are used
   up, the oldest batches are dropped for the new ones. If other programs fill the disk to the last
   byte, the reserve is released for the length of one transaction; then the WAL is truncated, which
   returns the space by which the file grew. A new reading without space even then is refused.
4. A disk that can't be written, or can't be read, is tried again with every call. The file is
   opened again if that may help. Otherwise it stays open, so that pending batches on a file system
   that turned read-only can still be read and sent.
5. The age of a batch is the time that agents have run while it was here. A clock that jumps does
   not change it: years pass in one moment when a machine without a battery learns the time.

The file stays within the limit in bytes; its WAL and the reserve come on top.
"""

import math
import os
import sqlite3
import time
import traceback
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import msgspec

from edge_agent.spool import (
    batch_cutting,
    batch_queue,
    parked_batches,
    rescue,
    sqlite_file,
    undated_batches,
)
from edge_agent.spool.disk_reserve import DiskReserve
from edge_agent.spool.queued_batch import BatchKey, QueuedBatch, QueueEnds
from edge_agent.spool.rescue import Rescue
from edge_agent.spool.sample_counts import CountsCopy, SampleCounts, most_recent, reconciled
from jieneng.metering.errors import SpoolUnavailable
from jieneng.metering.reading import Ack
from jieneng.observe import Log, LoggedFault

_T = TypeVar("_T")


class SpoolFile:
    """The queue, for its thread. Every failure is raised as `SpoolUnavailable`.

    Attributes:
        snapshot: the counts, with refused samples that the disk does not know of, and how many
            samples had been refused before they reached this thread. One value, because another
            thread reads it.
        has_undated: True if batches may be waiting for their times; `assign_times` finds out.
        is_disk_full: True if the last `put` found no space on the disk for a larger file.
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
        self.has_undated = False
        self.is_disk_full = False
        self._machine_boot = machine_boot
        self._path = path
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._log = log
        self._now_s = now_s
        self._began_s = 0.0  # time on `now_s` at which the running time was 0 ...
        self._oldest_put_s: float | None = None  # ... and of the oldest put
        self._db: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None  # of the file when it was opened
        self._is_preallocated = False  # True once growing the file was tried
        self._counts_copy = CountsCopy(path.with_name(f"{path.name}-counts"))
        self._refused = 0  # samples that the ledger does not know of
        self._rescue = Rescue(path, log, now_s)
        self._damage = LoggedFault(log, "batches were damaged on the disk, and dropped")

    @property
    def known(self) -> SampleCounts:
        """Counts, with refused samples that the disk does not know of."""
        return self.snapshot[0]

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
            if not self._is_transient(error.__cause__):
                raise
            self.snapshot = (
                self._counts_copy.read() or rescue.counts_in_file(self._path),
                self.snapshot[1],
            )

    def put(self, rows: Sequence[QueuedBatch], refused_in_memory: int = 0) -> None:
        """Append batches, and drop those that are too many or too old.

        Args:
            rows: the batches, in the order in which they were read.
            refused_in_memory: samples refused since the start before they reached this thread.
        """
        if new := refused_in_memory - self.snapshot[1]:
            self._refused += new
            self._set_counts(self.known.with_refused(new), new)
        samples = sum(row.samples for row in rows)
        has_undated = any(row.machine_boot is not None for row in rows)

        def work(db: sqlite3.Connection) -> None:
            # Set beforehand: a commit that reports an error may have reached the disk all the same.
            self.has_undated = self.has_undated or has_undated
            running_s = self._now_s() - self._began_s
            self.is_disk_full = self._reserve.is_disk_nearly_full()
            if self.is_disk_full:  # the file grows no more
                batch_queue.drop_to_free_pages(db, batch_queue.pages_needed(rows))
            batch_queue.insert_batches(db, rows, running_s)
            batch_queue.count_read(db, samples, self._refused, running_s)
            batch_queue.drop_put_before(db, running_s - self._max_age_s)
            batch_queue.drop_above_max_bytes(db, self._max_bytes)

        try:
            self._transact(work, records_refused=True)
        except SpoolUnavailable:
            self._refused += samples
            self._set_counts(self.known.with_refused(samples))
            raise

    def ends(
        self, limit: int, in_flight: Collection[BatchKey], parked: tuple[int, int] | None = None
    ) -> QueueEnds:
        """Return both ends of the part of the queue that can be sent.

        Args:
            limit: largest number of batches of each end.
            in_flight: batches of which it is told if they are gone.
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
        self.has_undated = self._transact(
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
        self._counts_copy.close()
        self._disconnect()

    def _transact(
        self, work: Callable[[sqlite3.Connection], _T], *, records_refused: bool = False
    ) -> _T:
        """Run `work` in one transaction, in a new file if this one turns out to be damaged.

        Args:
            work: what to do.
            records_refused: True if `work` writes the refused samples to the ledger.
        """
        try:
            counts, (done, oldest_s) = self._attempt_with_recovery(
                lambda db: (work(db), batch_queue.oldest_put_s(db))
            )
        except sqlite_file.FAILURES as error:
            if self._reopening_may_help(error):
                self._disconnect()
            raise self._unavailable(error) from error
        if records_refused:
            self._refused = 0
        self._oldest_put_s = None if oldest_s is None else self._began_s + oldest_s
        self._set_counts(counts.with_refused(self._refused))
        return done

    def _log_damaged(self, before: int) -> None:
        if self.known.damaged > before:
            self._damage.report("their checksums are wrong", path=str(self._path))

    def _set_counts(self, counts: SampleCounts, refused_in_memory: int = 0) -> None:
        if counts != self.known:
            self.snapshot = (counts, self.snapshot[1] + refused_in_memory)
            self._counts_copy.write(counts)

    def _attempt_with_recovery(
        self, work: Callable[[sqlite3.Connection], _T]
    ) -> tuple[SampleCounts, _T]:
        self._rescue.raise_if_waiting_for_space()
        try:
            self._reserve.create()
            return self._attempt(work)
        except sqlite_file.FAILURES as error:
            if sqlite_file.primary_code(error) == sqlite3.SQLITE_FULL:
                return self._attempt_in_reserve(work)
            if sqlite_file.is_corruption(error):
                self._replace_damaged(error)
                return self._attempt(work)
            raise

    @cached_property
    def _reserve(self) -> DiskReserve:
        return DiskReserve(self._path.with_name(f"{self._path.name}-reserve"), self._max_bytes)

    def _attempt_in_reserve(
        self, work: Callable[[sqlite3.Connection], _T]
    ) -> tuple[SampleCounts, _T]:
        self._reserve.release()
        try:
            self._checkpoint()
            done = self._attempt(work)
            with suppress(
                sqlite3.Error
            ):  # the work is done, whether or not the WAL can be truncated
                self._checkpoint()
            return done
        finally:
            self._reserve.create()

    def _checkpoint(self) -> None:
        """Copy the WAL into the file, and truncate it to nothing."""
        if self._db is not None:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _attempt(self, work: Callable[[sqlite3.Connection], _T]) -> tuple[SampleCounts, _T]:
        if self._db is None:
            self._db = self._open_reconciled()
            self._identity = sqlite_file.identity(self._path)
            self._is_preallocated = False
        if not self._is_preallocated and self._reserve.has_ample_space():
            self._is_preallocated = True
            with suppress(sqlite3.Error):  # the work itself reports the error
                batch_queue.preallocate(self._db, min(self._reserve.size_bytes, self._max_bytes))
        return batch_queue.run_transaction(self._db, work)

    def _open_reconciled(self) -> sqlite3.Connection:
        """Open the file, and reconcile its counts with those known here or beside it."""
        rescue.finish_interrupted(self._path)
        db = sqlite_file.open_file(self._path, self._reserve.wal_bytes)
        try:
            self._began_s = self._now_s() - batch_queue.running_s(db)
            found = batch_queue.read_checked_counts(db)
            copies = (found, self.known, self._counts_copy.read() or found)
            known = most_recent(*copies)
            now = reconciled(known, found)
            if now != found:
                batch_queue.run_transaction(db, lambda db: batch_queue.write_counts(db, now))
                self._refused = 0
            lost = undated_batches.drop_from_other_boots(db, self._machine_boot)
            self.has_undated = undated_batches.undated_id_range(db) is not None
        except BaseException:
            db.close()
            raise
        if now.damaged > known.damaged:
            self._log.error(
                "spool has lost readings that were in it",
                path=str(self._path),
                dropped=now.damaged - known.damaged,
            )
        if lost:
            self._log.error(
                "readings of an earlier start of the machine never got their time, and are dropped",
                path=str(self._path),
                dropped=lost,
            )
        return db

    def _replace_damaged(self, error: Exception) -> None:
        # The frames of the failed work still hold a cursor, and with it the file's lock.
        traceback.clear_frames(error.__traceback__)
        self._disconnect()
        known = most_recent(self.known, self._counts_copy.read() or self.known)
        self._reserve.release()
        try:
            if (
                self._rescue.replace_damaged(self._reserve.wal_bytes, known, reason=str(error))
                == self.known
            ):
                self._refused = 0  # the new file contains them
        finally:
            self._reserve.create()

    def _is_transient(self, error: BaseException | None) -> bool:
        """Return True if the state of the disk is the cause, not a wrong path or another agent."""
        full_or_failing = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
        return sqlite_file.primary_code(error) in full_or_failing or sqlite_file.is_read_only(
            self._path
        )

    def _reopening_may_help(self, error: Exception) -> bool:
        """Return True if the error may be gone once the file is opened again."""
        if (
            sqlite_file.primary_code(error) == sqlite3.SQLITE_READONLY
        ):  # it was so when it was opened
            return os.access(self._path, os.W_OK)
        changed = self._identity != sqlite_file.identity(self._path)
        return changed or sqlite_file.is_unreadable(error)

    def _disconnect(self) -> None:
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _unavailable(self, error: Exception) -> SpoolUnavailable:
        return SpoolUnavailable(
            "the spool {path} can't be used ({error}); check the disk, and that no other agent"
            " uses this file.",
            path=self._path,
            error=error,
        )
