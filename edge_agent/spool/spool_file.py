"""The spool's file: batches and their ledger in SQLite, for the one thread that works on it.

Laws:

1. A batch carries a checksum. One that the disk gives back changed is dropped and counted, never
   handed out: a flipped digit would be a reading that nobody read.
2. A damaged file is set aside under another name, what it still gives back stands in its place
   (`rescue`), and what it does not counts as dropped. The counts go on; where the file lost some of
   its own without a word, the copy beside it (`tally`) says so.
3. A full disk never locks the queue. From its beginning the file holds as many pages as the
   reserve (see there), free ones where nothing is in them yet: so much it takes on any disk. Where
   less is free than a log takes, it grows no more, and when its pages are used up, the oldest give
   way to the new. Where others fill the disk to the last byte, the reserve is given up for as long
   as a transaction takes, and the log is cut and gives back what the file grew by. A new reading
   that even so finds no room is refused.
4. A disk that can't be written, or can't be read, is tried again with every call. Where opening the
   file anew may help, that is done; otherwise it stays open, so that what is pending on a file
   system that turned read-only can still be read and sent.
5. Age is what the agent's own running time adds up to while a batch lies here. A clock that jumps
   ages nothing: years pass in one moment when a box without a battery hears the time at last.

The file stays within the bound on bytes; its log and the reserve come on top.
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

from edge_agent.publishing.in_flight import Ends, Key
from edge_agent.spool import batch_queue, rescue, sqlite_file, undated_batches
from edge_agent.spool.batch_queue import Row
from edge_agent.spool.disk_reserve import Reserve
from edge_agent.spool.rescue import Rescue
from edge_agent.spool.sample_counts import Counts, Tally, settled, youngest
from jieneng.metering.errors import SpoolUnavailable
from jieneng.metering.reading import Ack
from jieneng.observe import Log, LoggedFault

_T = TypeVar("_T")


class SpoolFile:
    """The queue, for its thread. Whatever goes wrong is raised as `SpoolUnavailable`.

    Attributes:
        said: the counts, with what was refused and is not on the disk yet; and how many of the
            refused were so before they came here. One value, as another thread reads it.
        waits: whether some wait for their time. Perhaps none, until they are next given it.
        on_full_disk: whether the last `put` found that the disk has no room for a larger file.
    """

    def __init__(
        self,
        path: Path,
        max_bytes: int,
        log: Log,
        *,
        machine: str = "",
        max_age_s: float = math.inf,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.said = (Counts(), 0)
        self.waits = False
        self.on_full_disk = False
        self._machine = machine
        self._path = path
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._log = log
        self._now_s = now_s
        self._began_s = 0.0  # the moment on `now_s` at which the running time was 0 ...
        self._since_s: float | None = None  # ... and at which the oldest batch was put, if any
        self._db: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None  # of the file when it was opened
        self._is_wide = False  # it was tried to give it the pages that it is to have on any disk
        self._tally = Tally(path.with_name(f"{path.name}-counts"))
        self._refused = 0  # samples, that the ledger does not know of
        self._rescue = Rescue(path, log, now_s)
        self._damage = LoggedFault(log, "batches were damaged on the disk, and dropped")

    @property
    def known(self) -> Counts:
        """The counts, with what was refused and is not on the disk yet."""
        return self.said[0]

    @property
    def age_s(self) -> float:
        """How long the oldest batch has been here, in running time; 0 where there is none."""
        since_s = self._since_s
        return 0.0 if since_s is None else max(self._now_s() - since_s, 0.0)

    def open(self) -> None:
        """Open or make the file, unless the disk is what keeps us from it: that is tried again."""
        try:
            self._transact(lambda _: None)
        except SpoolUnavailable as error:
            if not self._may_pass(error.__cause__):
                raise
            self.said = (self._tally.read() or rescue.counts_of(self._path), self.said[1])

    def put(self, rows: Sequence[Row], unfit: int = 0) -> None:
        """Keep batches, drop what is too much or too old; `unfit` samples never got here so far."""
        if new := unfit - self.said[1]:
            self._refused += new
            self._know(self.known.with_refused(new), new)
        samples = sum(row.samples for row in rows)
        waits = any(row.machine is not None for row in rows)

        def work(db: sqlite3.Connection) -> None:
            # Before it is done: what the disk has taken may be said to have failed all the same.
            self.waits = self.waits or waits
            running_s = self._now_s() - self._began_s
            self.on_full_disk = self._reserve.is_tight()
            if self.on_full_disk:  # the file grows no more
                batch_queue.drop_for_pages(db, batch_queue.pages(rows))
            batch_queue.insert(db, rows, running_s)
            batch_queue.count_read(db, samples, self._refused, running_s)
            batch_queue.drop_old(db, running_s - self._max_age_s)
            batch_queue.drop_full(db, self._max_bytes)

        try:
            self._transact(work, settles_refused=True)
        except SpoolUnavailable:
            self._refused += samples
            self._know(self.known.with_refused(samples))
            raise

    def ends(self, most: int, under_way: Collection[Key]) -> Ends:
        """Both ends of the queue, as far as it can be sent."""

        def work(db: sqlite3.Connection) -> Ends:
            return batch_queue.ends(
                db, most, under_way, undated_batches.span(db) if self.waits else None
            )

        return self._transact(work)

    def read(self, keys: Sequence[Key]) -> list[Row]:
        """Batches by name. Damaged ones leave the queue, and are counted."""
        before = self.known.damaged
        rows = self._transact(lambda db: batch_queue.read(db, keys))
        self._say_damaged(before)
        return rows

    def date(self, start_ms: int) -> None:
        """Give some of those that wait their time: UTC of the moment when the machine started."""
        before = self.known.damaged
        self.waits = self._transact(lambda db: undated_batches.date(db, start_ms))
        self._say_damaged(before)

    def confirm(self, acks: Sequence[Ack]) -> int:
        """Remove what was acknowledged; how many batches it were."""
        ranges = [(ack.boot, *range_) for ack in acks for range_ in ack.stored]
        ranges += [(ack.boot, seq, seq) for ack in acks for seq, _ in ack.quarantined]
        return self._transact(lambda db: sum(batch_queue.remove_stored(db, *one) for one in ranges))

    def close(self) -> None:
        """Let go of the file."""
        self._tally.close()
        self._disconnect()

    def _transact(
        self, work: Callable[[sqlite3.Connection], _T], *, settles_refused: bool = False
    ) -> _T:
        """Do it whole or not at all, in a new file where this one turns out to be damaged."""
        try:
            counts, (done, oldest_s) = self._attempt_hard(
                lambda db: (work(db), batch_queue.oldest_s(db))
            )
        except sqlite_file.FAILURES as error:
            if self._may_be_another(error):
                self._disconnect()
            raise self._unavailable(error) from error
        if settles_refused:
            self._refused = 0
        self._since_s = None if oldest_s is None else self._began_s + oldest_s
        self._know(counts.with_refused(self._refused))
        return done

    def _say_damaged(self, before: int) -> None:
        if self.known.damaged > before:
            self._damage.happened("their checksums are wrong", path=str(self._path))

    def _know(self, counts: Counts, unfit: int = 0) -> None:
        if counts != self.known:
            self.said = (counts, self.said[1] + unfit)
            self._tally.write(counts)

    def _attempt_hard(self, work: Callable[[sqlite3.Connection], _T]) -> tuple[Counts, _T]:
        self._rescue.check()
        try:
            self._reserve.make()
            return self._attempt(work)
        except sqlite_file.FAILURES as error:
            if sqlite_file.code(error) == sqlite3.SQLITE_FULL:
                return self._attempt_in_reserve(work)
            if sqlite_file.is_damage(error):
                self._begin_anew(error)
                return self._attempt(work)
            raise

    @cached_property
    def _reserve(self) -> Reserve:
        return Reserve(self._path.with_name(f"{self._path.name}-reserve"), self._max_bytes)

    def _attempt_in_reserve(self, work: Callable[[sqlite3.Connection], _T]) -> tuple[Counts, _T]:
        self._reserve.release()
        try:
            self._write_back()
            done = self._attempt(work)
            with suppress(sqlite3.Error):  # it is done, whether or not the log can be cut now
                self._write_back()
            return done
        finally:
            self._reserve.make()

    def _write_back(self) -> None:
        """Bring the log into the file, and cut it to nothing."""
        if self._db is not None:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _attempt(self, work: Callable[[sqlite3.Connection], _T]) -> tuple[Counts, _T]:
        if self._db is None:
            self._db = self._open_settled()
            self._identity = sqlite_file.identity(self._path)
            self._is_wide = False
        if not self._is_wide and self._reserve.has_plenty():
            self._is_wide = True
            with suppress(sqlite3.Error):  # what is to be done says what is wrong
                batch_queue.widen(self._db, min(self._reserve.size_bytes, self._max_bytes))
        return batch_queue.whole_or_not(self._db, work)

    def _open_settled(self) -> sqlite3.Connection:
        """Open it, and see that it holds what was last known of it, here or beside it."""
        rescue.finish(self._path)
        db = sqlite_file.opened(self._path, self._reserve.log_bytes)
        try:
            self._began_s = self._now_s() - batch_queue.running_s(db)
            found = batch_queue.sound_counts(db)
            copies = (found, self.known, self._tally.read() or found)
            known = youngest(*copies)
            now = settled(known, found)
            if now != found:
                batch_queue.whole_or_not(db, lambda db: batch_queue.write_counts(db, now))
                self._refused = 0
            lost = undated_batches.drop_of_other_starts(db, self._machine)
            self.waits = undated_batches.span(db) is not None
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

    def _begin_anew(self, error: Exception) -> None:
        # What was going on when it came up still holds a cursor, and with it the file's lock.
        traceback.clear_frames(error.__traceback__)
        self._disconnect()
        known = youngest(self.known, self._tally.read() or self.known)
        self._reserve.release()
        try:
            if self._rescue.anew(self._reserve.log_bytes, known, reason=str(error)) == self.known:
                self._refused = 0  # the new file knows of them
        finally:
            self._reserve.make()

    def _may_pass(self, error: BaseException | None) -> bool:
        """Whether it is the disk's state rather than a wrong path or another agent."""
        full_or_failing = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
        return sqlite_file.code(error) in full_or_failing or sqlite_file.is_read_only(self._path)

    def _may_be_another(self, error: Exception) -> bool:
        """Whether the file, opened anew, might not give this error again."""
        if sqlite_file.code(error) == sqlite3.SQLITE_READONLY:  # it was so when it was opened
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
