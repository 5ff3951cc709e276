"""Keep the spool's SQLite file usable: open it, check its counts, repair it, and get disk space.

Laws:

1. A damaged file is set aside under another name. Its readable batches are copied into a new file
   (`rescue`), and the others count as dropped. The counts of samples continue. SQLite may lose the
   latest transactions without an error; this is noticed by the copy of the counts beside the file
   (`CountsCopy`).
2. The spool can be written on a full disk, too. A new file is preallocated to the size of the
   reserve (`disk_reserve`), so that batches of this size always have space. If a transaction still
   fails because the disk is full, the reserve is released, the transaction is repeated, and the
   reserve is created again. Before and after it the write-ahead log (WAL) is truncated, which frees
   its space.
3. If the disk can't be written or read, every call tries again. The file is opened again if that
   may help. Otherwise it stays open, so that pending batches can still be read and sent if the file
   system has become read-only.
4. If the file was deleted or replaced while it was open, its content is written back before the
   next transaction. While that fails, the open file is used, which exists until the agent ends.

The file stays within its limit in bytes. The WAL and the reserve take space in addition.
"""

import os
import sqlite3
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Final, TypeVar

from edge_agent.circuit_breaker import CircuitBreaker
from edge_agent.spool import batch_queue, rescue, sqlite_file, undated_batches
from edge_agent.spool.disk_reserve import DiskReserve
from edge_agent.spool.rescue import Rescue
from edge_agent.spool.sample_counts import CountsCopy, SampleCounts, most_recent, reconciled
from jieneng.metering.errors import SpoolUnavailable
from jieneng.observe import Log, LoggedFault

#: Time between two attempts to write back a file that was deleted [s].
_WRITE_BACK_RETRY_S: Final = 60.0

_T = TypeVar("_T")


class SpoolDatabase:
    """The spool's file. Only one thread may use it.

    Attributes:
        known: current counts, including refused samples that are not yet counted in the file.
        unrecorded: number of refused samples that are not yet counted in the file.
        has_undated: True if batches may be waiting for their times.
        began_s: time on the clock `now_s` at which the running time stored in the file was 0.
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
        """Create the object. The file is opened at the first transaction.

        Args:
            path: path of the file.
            max_bytes: largest total payload of the batches in the file [bytes].
            log: log for damage and loss.
            machine_boot: id of the machine's current boot.
            now_s: clock of the machine's running time [s].
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
        self._identity: tuple[int, int] | None = None  # identity of the file when it was opened
        self._is_preallocated = False  # True once preallocation was tried
        self._counts_copy = CountsCopy(path.with_name(f"{path.name}-counts"))
        self._rescue = Rescue(path, log, now_s)
        self._write_back_fault = LoggedFault(log, "deleted spool can't be written back")
        self._write_back_breaker = CircuitBreaker(
            _WRITE_BACK_RETRY_S, _WRITE_BACK_RETRY_S, threshold=1
        )

    @cached_property
    def reserve(self) -> DiskReserve:
        """The reserve of disk space beside the file."""
        return DiskReserve(self._path.with_name(f"{self._path.name}-reserve"), self._max_bytes)

    def transact(self, work: Callable[[sqlite3.Connection], _T]) -> tuple[SampleCounts, _T]:
        """Run `work` in one transaction. If the file is damaged, it is first replaced by a new one.

        Returns:
            The counts in the file after the transaction, and the result of `work`.

        Raises:
            SpoolUnavailable: the disk can't be written or read; `__cause__` is the original error.
        """
        try:
            return self._attempt_with_recovery(work)
        except sqlite_file.FAILURES as error:
            if self._reopening_may_help(error):
                self._disconnect()
            raise self._unavailable(error) from error

    def remember(self, counts: SampleCounts) -> None:
        """Set `known` to the counts, and write them to the copy beside the file."""
        self.known = counts
        self._counts_copy.write(counts)

    def recall(self) -> None:
        """Set `known` from the copy, or else from the file. The file is not opened for writing."""
        self.known = self._counts_copy.read() or rescue.counts_in_file(self._path)

    def is_transient(self, error: BaseException | None) -> bool:
        """Return True if the disk causes the error, and not a wrong path or another agent."""
        full_or_failing = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
        return sqlite_file.primary_code(error) in full_or_failing or sqlite_file.is_read_only(
            self._path
        )

    def close(self) -> None:
        """Close the file."""
        self._write_back_if_gone(at_end=True)
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
            with suppress(sqlite3.Error):  # the work is committed even if this checkpoint fails
                self._checkpoint()
            return done
        finally:
            self.reserve.create()

    def _checkpoint(self) -> None:
        """Copy the WAL into the file, and truncate the WAL to zero bytes."""
        if self._db is not None:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _attempt(self, work: Callable[[sqlite3.Connection], _T]) -> tuple[SampleCounts, _T]:
        self._write_back_if_gone()
        if self._db is None:
            self._db = self._open_reconciled()
            self._identity = sqlite_file.identity(self._path)
            self._is_preallocated = False
        if not self._is_preallocated and self.reserve.has_ample_space():
            self._is_preallocated = True
            with suppress(sqlite3.Error):  # the work itself reports the error
                batch_queue.preallocate(self._db, min(self.reserve.size_bytes, self._max_bytes))
        return batch_queue.run_transaction(self._db, work)

    def _write_back_if_gone(self, *, at_end: bool = False) -> None:
        """Write back a file that was deleted or replaced while it was open, and close it."""
        if self._db is None or self._identity == sqlite_file.identity(self._path):
            return
        if self._now_s() < self._write_back_breaker.not_before_s and not at_end:
            return
        try:
            self._rescue.write_back(self._db, self.reserve.wal_bytes)
        except sqlite_file.FAILURES as error:
            self._write_back_breaker.record_failure(self._now_s())
            self._write_back_fault.report(error, path=str(self._path))
            return
        self._write_back_fault.clear()
        self._write_back_breaker.record_success()
        self._disconnect()
        self._counts_copy.close()  # it was probably deleted, too, and so was the reserve
        self.reserve.release()
        self.reserve.create()

    def _open_reconciled(self) -> sqlite3.Connection:
        """Open the file, and reconcile its counts with `known` and with the copy."""
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
                "readings before a restart of the machine never got a time, and are dropped",
                path=str(self._path),
                dropped=lost,
            )
        return db

    def _replace_damaged(self, error: Exception) -> None:
        # The traceback's frames keep a cursor open, and with it the lock on the file.
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
            return os.access(self._path, os.W_OK)  # only the open connection is read-only
        # A file that was deleted or replaced stays open, because its batches exist nowhere else. If
        # they can't be read, the disk may have been mounted again.
        return sqlite_file.is_unreadable(error) and sqlite_file.identity(self._path) is not None

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
