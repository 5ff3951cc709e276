"""The spool's SQLite file, open and usable: opened, reconciled, rescued, and with room to write.

Laws:

1. A damaged file is set aside under another name. Its readable batches go into a new file
   (`rescue`), and the others count as dropped. The counts continue; if the file lost some of its
   own without an error, the copy beside it (`CountsCopy`) tells.
2. A full disk never locks the queue. From its beginning the file holds as many pages as the reserve
   (`disk_reserve`), free ones until they are used: so many batches fit on any disk. If other
   programs fill the disk to the last byte, the reserve is released for the length of one
   transaction. Then the write-ahead log (WAL) is truncated, which returns the space by which the
   file grew.
3. A disk that can't be written, or can't be read, is tried again with every call. The file is
   opened again if that may help. Otherwise it stays open, so that pending batches on a file system
   that turned read-only can still be read and sent.

The file stays within the limit in bytes; its WAL and the reserve come on top.
"""

import os
import sqlite3
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from edge_agent.spool import batch_queue, rescue, sqlite_file, undated_batches
from edge_agent.spool.disk_reserve import DiskReserve
from edge_agent.spool.rescue import Rescue
from edge_agent.spool.sample_counts import CountsCopy, SampleCounts, most_recent, reconciled
from jieneng.metering.errors import SpoolUnavailable
from jieneng.observe import Log

_T = TypeVar("_T")


class SpoolDatabase:
    """The file, for the one thread that works on it.

    Attributes:
        known: counts, with refused samples that the file does not know of.
        unrecorded: number of these samples.
        has_undated: True if batches may be waiting for their times.
        began_s: time of the clock at which the running time of the file was 0.
    """

    def __init__(
        self,
        path: Path,
        max_bytes: int,
        log: Log,
        *,
        machine_boot: str,
        now_s: Callable[[], float],
    ) -> None:
        """Name the file; nothing is touched yet.

        Args:
            path: path of the file.
            max_bytes: most payload that the file may hold [bytes].
            log: for damage and loss.
            machine_boot: boot id of the machine.
            now_s: clock of the running time [s].
        """
        self.known = SampleCounts()
        self.unrecorded = 0
        self.has_undated = False
        self.began_s = 0.0
        self._path = path
        self._max_bytes = max_bytes
        self._log = log
        self._machine_boot = machine_boot
        self._now_s = now_s
        self._db: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None  # of the file when it was opened
        self._is_preallocated = False  # True once growing the file was tried
        self._counts_copy = CountsCopy(path.with_name(f"{path.name}-counts"))
        self._rescue = Rescue(path, log, now_s)

    @cached_property
    def reserve(self) -> DiskReserve:
        """Reserve of disk space beside the file."""
        return DiskReserve(self._path.with_name(f"{self._path.name}-reserve"), self._max_bytes)

    def transact(self, work: Callable[[sqlite3.Connection], _T]) -> tuple[SampleCounts, _T]:
        """Run `work` in one transaction, in a new file if this one turns out to be damaged.

        Returns:
            The counts of the file after it, and the result of `work`.

        Raises:
            SpoolUnavailable: the disk can't be written or read; its cause is the error.
        """
        try:
            return self._attempt_with_recovery(work)
        except sqlite_file.FAILURES as error:
            if self._reopening_may_help(error):
                self._disconnect()
            raise self._unavailable(error) from error

    def remember(self, counts: SampleCounts) -> None:
        """Take the counts as known, and write them beside the file."""
        self.known = counts
        self._counts_copy.write(counts)

    def recall(self) -> None:
        """Take the counts from beside the file, or else from it, while it can't be used."""
        self.known = self._counts_copy.read() or rescue.counts_in_file(self._path)

    def is_transient(self, error: BaseException | None) -> bool:
        """Return True if the state of the disk is the cause, not a wrong path or another agent."""
        full_or_failing = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
        return sqlite_file.primary_code(error) in full_or_failing or sqlite_file.is_read_only(
            self._path
        )

    def close(self) -> None:
        """Close the file."""
        self._counts_copy.close()
        self._disconnect()

    def _attempt_with_recovery(
        self, work: Callable[[sqlite3.Connection], _T]
    ) -> tuple[SampleCounts, _T]:
        self._rescue.raise_if_waiting_for_space()
        try:
            self.reserve.create()
            return self._attempt(work)
        except sqlite_file.FAILURES as error:
            if sqlite_file.primary_code(error) == sqlite3.SQLITE_FULL:
                return self._attempt_in_reserve(work)
            if sqlite_file.is_corruption(error):
                self._replace_damaged(error)
                return self._attempt(work)
            raise

    def _attempt_in_reserve(
        self, work: Callable[[sqlite3.Connection], _T]
    ) -> tuple[SampleCounts, _T]:
        self.reserve.release()
        try:
            self._checkpoint()
            done = self._attempt(work)
            with suppress(sqlite3.Error):  # the work is done, also if the WAL can't be truncated
                self._checkpoint()
            return done
        finally:
            self.reserve.create()

    def _checkpoint(self) -> None:
        """Copy the WAL into the file, and truncate it to nothing."""
        if self._db is not None:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _attempt(self, work: Callable[[sqlite3.Connection], _T]) -> tuple[SampleCounts, _T]:
        if self._db is None:
            self._db = self._open_reconciled()
            self._identity = sqlite_file.identity(self._path)
            self._is_preallocated = False
        if not self._is_preallocated and self.reserve.has_ample_space():
            self._is_preallocated = True
            with suppress(sqlite3.Error):  # the work itself reports the error
                batch_queue.preallocate(self._db, min(self.reserve.size_bytes, self._max_bytes))
        return batch_queue.run_transaction(self._db, work)

    def _open_reconciled(self) -> sqlite3.Connection:
        """Open the file, and reconcile its counts with those known here or beside it."""
        rescue.finish_interrupted(self._path)
        db = sqlite_file.open_file(self._path, self.reserve.wal_bytes)
        try:
            self.began_s = self._now_s() - batch_queue.running_s(db)
            found = batch_queue.read_checked_counts(db)
            copies = (found, self.known, self._counts_copy.read() or found)
            known = most_recent(*copies)
            now = reconciled(known, found)
            if now != found:
                batch_queue.run_transaction(db, lambda db: batch_queue.write_counts(db, now))
                self.unrecorded = 0
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
        self.reserve.release()
        try:
            rescued = self._rescue.replace_damaged(self.reserve.wal_bytes, known, reason=str(error))
            if rescued == self.known:
                self.unrecorded = 0  # the new file contains them
        finally:
            self.reserve.create()

    def _reopening_may_help(self, error: Exception) -> bool:
        """Return True if the error may be gone once the file is opened again."""
        if sqlite_file.primary_code(error) == sqlite3.SQLITE_READONLY:
            return os.access(self._path, os.W_OK)  # it was read-only when it was opened
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
