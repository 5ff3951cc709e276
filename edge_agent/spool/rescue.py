"""Replace a damaged spool file by a new one that contains its readable batches.

The files beside the spool file FILE: FILE.new while batches are copied, FILE.rescued when all are
copied, FILE.damaged for the old file.

Laws:

1. A batch with a wrong checksum is not copied.
2. The old file is renamed only when FILE.rescued is complete on the disk, with its counts. If the
   agent is killed before, the rescue starts again from the old file. If it is killed later, the
   next start finishes the renaming. So at any moment FILE contains a count of each of its batches.
3. The write-ahead log (WAL) of the old file is renamed before the old file is. SQLite would
   otherwise apply this WAL to the new file.
4. If the disk has too little space, the rescue fails and is tried again each minute, for an hour.
   After that, the oldest batches are dropped so that the others fit, as in a full spool.
5. A file that was deleted or replaced while it was open is still complete for the agent, until the
   agent ends. Its content is written to FILE.rescued, which takes its place as in law 2.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from edge_agent.circuit_breaker import CircuitBreaker
from edge_agent.spool import batch_queue, spool_tables, sqlite_file
from edge_agent.spool.batch_queue import intact_batch
from edge_agent.spool.queued_batch import QueuedBatch
from edge_agent.spool.sample_counts import SampleCounts, most_recent, reconciled
from jieneng.observe import Log

_SPACE_RETRY_S: Final = 60.0  # wait between attempts while there is too little space
_SPACE_RETRIES: Final = 60  # number of failed attempts after which the oldest batches are dropped
# Space that is kept free, as a multiple of the WAL's limit. One transaction may exceed this limit.
_FREE_WALS: Final = 3

# Both the table and its index contain the row ids of all batches. Each is read forwards up to the
# damage, and then backwards from its end up to the damage.
_ROW_ID_QUERIES: Final = tuple(
    f"SELECT rowid FROM batch {by} {order}"  # noqa: S608 - ours
    for by, order in (
        ("NOT INDEXED", "ORDER BY rowid"),
        ("NOT INDEXED", "ORDER BY rowid DESC"),
        (f"INDEXED BY {spool_tables.NAMES}", "ORDER BY boot, seq"),
        (f"INDEXED BY {spool_tables.NAMES}", "ORDER BY boot DESC, seq DESC"),
    )
)


class Rescue:
    """Rescues one spool, and counts the attempts that failed for lack of space."""

    def __init__(self, path: Path, log: Log, now_s: Callable[[], float]) -> None:
        self._path = path
        self._log = log
        self._now_s = now_s
        self._space_breaker = CircuitBreaker(_SPACE_RETRY_S, _SPACE_RETRY_S, threshold=1)

    def raise_if_waiting_for_space(self) -> None:
        """Raise the error of a full disk if the next attempt is not due yet."""
        if self._now_s() < self._space_breaker.not_before_s:
            raise sqlite_file.full_error()

    def replace_damaged(self, wal_bytes: int, known: SampleCounts, reason: str) -> SampleCounts:
        """Replace the damaged file by a new one that contains its readable batches.

        Args:
            wal_bytes: size at which the WAL is checkpointed.
            known: the most recent counts in memory or in the copy beside the file.
            reason: the error that shows the damage, for the log.

        Returns:
            The most recent counts before the rescue. Those of the new file continue from them.

        Raises:
            sqlite3.Error: the disk is full or can't be written; the old file is unchanged.
            OSError: the disk can't be written; the old file is unchanged.
        """
        _remove(_sibling(self._path, "damaged"))  # the file of an earlier rescue only takes space
        before = most_recent(known, counts_in_file(self._path))
        new = _sibling(self._path, "new")
        try:
            with closing(readable_batches(self._path)) as rows:
                after = self._write_new_file(new, wal_bytes, before, rows)
        except BaseException as error:
            with suppress(OSError):
                _remove(new)
            if sqlite_file.primary_code(error) == sqlite3.SQLITE_FULL:
                self._space_breaker.record_failure(self._now_s())
            raise
        _move(new, _sibling(self._path, "rescued"))
        aside = finish_interrupted(self._path)
        self._space_breaker.record_success()
        self._log.error(
            "spool was damaged: it was set aside, and a new one was made",
            reason=reason,
            aside=str(aside),
            rescued=after.pending,
            dropped=after.dropped - before.dropped,
        )
        return before

    def write_back(self, db: sqlite3.Connection, wal_bytes: int) -> None:
        """Write the content of an open file that was deleted or replaced to FILE.rescued.

        Args:
            db: the open file.
            wal_bytes: size at which the WAL is checkpointed.

        Raises:
            sqlite3.Error, OSError: the open file can't be read, or nothing can be written. Neither
                file is changed.
        """
        new = _sibling(self._path, "new")
        try:
            # If batches can't be read, the path may have them: the disk may be mounted again.
            with closing(_batches(db, suppressed=())) as rows:
                before = batch_queue.read_checked_counts(db)
                after = self._write_new_file(new, wal_bytes, before, rows)
        except BaseException:
            with suppress(OSError):
                _remove(new)
            raise
        _move(new, _sibling(self._path, "rescued"))
        self._log.error(
            "spool was deleted or replaced while it was open: its readings are written back",
            path=str(self._path),
            rescued=after.pending,
            dropped=after.dropped - before.dropped,
        )

    def _write_new_file(
        self, new: Path, wal_bytes: int, before: SampleCounts, rows: Iterator[QueuedBatch]
    ) -> SampleCounts:
        """Write the new file, and return its counts."""
        _remove(new)
        may_wait = self._space_breaker.failures < _SPACE_RETRIES
        with closing(sqlite_file.open_file(new, wal_bytes)) as db:
            _copy_batches(db, rows, new.parent, wal_bytes, may_wait=may_wait)
            after = _write_reconciled_counts(db, before)
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the WAL is not moved with the file
        return after


def finish_interrupted(path: Path) -> Path:
    """Finish the renaming of an interrupted rescue, if any. Return the path of FILE.damaged."""
    aside, rescued = _sibling(path, "damaged"), _sibling(path, "rescued")
    if rescued.exists():
        if _wal(path).exists():
            _move(_wal(path), _wal(aside))
        if path.exists():
            _move(path, aside)
        _move(rescued, path)
    return aside


def counts_in_file(path: Path) -> SampleCounts:
    """Return the counts in a damaged file; zeros if they are unreadable or inconsistent."""
    if not path.exists():
        return SampleCounts()
    try:
        with closing(_open_damaged(path)) as db:
            return batch_queue.read_checked_counts(db)
    except sqlite_file.FAILURES:
        return SampleCounts()


def readable_batches(path: Path) -> Generator[QueuedBatch, None, None]:
    """Yield the intact batches of a damaged file, in the order in which they were put."""
    with closing(_open_damaged(path)) as db:
        _override_schema(db)
        yield from _batches(db, suppressed=sqlite_file.FAILURES)


def _batches(
    db: sqlite3.Connection, *, suppressed: Sequence[type[Exception]]
) -> Generator[QueuedBatch, None, None]:
    """Yield the intact batches. A batch whose reading fails with a suppressed error is skipped."""
    for number in _row_ids(db, suppressed):
        with suppress(*suppressed):
            found = db.execute(
                "SELECT boot, seq, samples, payload, machine, crc FROM batch WHERE rowid = ?",
                (number,),
            ).fetchone()
            if found is not None and (row := intact_batch(found)) is not None:
                yield row


def _copy_batches(
    db: sqlite3.Connection,
    rows: Iterator[QueuedBatch],
    folder: Path,
    wal_bytes: int,
    *,
    may_wait: bool,
) -> None:
    """Copy batches into a new file in the folder, in transactions of at most `wal_bytes`."""
    room = shutil.disk_usage(folder).free - _FREE_WALS * wal_bytes
    if room < wal_bytes:
        raise sqlite_file.full_error()
    for some in _chunks(rows, wal_bytes):
        put = partial(_insert_within, room=room, may_wait=may_wait)
        try:
            batch_queue.run_transaction(db, partial(put, rows=some))
        except sqlite3.IntegrityError:  # the damage gave two batches the same name
            for one in some:
                with suppress(sqlite3.IntegrityError):
                    batch_queue.run_transaction(db, partial(put, rows=[one]))


def _chunks(rows: Iterable[QueuedBatch], max_bytes: int) -> Iterator[list[QueuedBatch]]:
    part: list[QueuedBatch] = []
    for row in rows:
        if part and batch_queue.pages_needed([*part, row]) * sqlite_file.PAGE_BYTES > max_bytes:
            yield part
            part = []
        part.append(row)
    if part:
        yield part


def _insert_within(
    db: sqlite3.Connection, *, rows: Sequence[QueuedBatch], room: int, may_wait: bool
) -> None:
    pages = batch_queue.pages_needed(rows)
    if not batch_queue.has_room(db, pages, room):
        if may_wait:
            raise sqlite_file.full_error()
        batch_queue.drop_to_free_pages(db, pages)
    batch_queue.insert_batches(db, rows, at_s=0.0)


def _write_reconciled_counts(db: sqlite3.Connection, before: SampleCounts) -> SampleCounts:
    """Write the counts to the new file, and return them.

    Batches that were dropped for lack of space, or that were unreadable, count as dropped.
    """
    found = batch_queue.read_counts(db)
    gone = min(found.full, before.pending)
    known = msgspec.structs.replace(before, pending=before.pending - gone, full=before.full + gone)
    after = reconciled(known, found)
    batch_queue.run_transaction(db, lambda db: batch_queue.write_counts(db, after))
    return after


def _open_damaged(path: Path) -> sqlite3.Connection:
    """Open a damaged file for reading, and lock it exclusively.

    With a shared lock SQLite would create an index file for the WAL, which needs disk space.
    """
    db = sqlite3.connect(path, timeout=0, isolation_level=None)
    db.execute("PRAGMA writable_schema = ON")  # SQLite then ignores errors in the schema
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    db.text_factory = _text
    return db


def _override_schema(db: sqlite3.Connection) -> None:
    """Replace the file's schema by the current one, in a transaction that is never committed.

    The schema in the file may be damaged, or belong to an earlier version.
    """
    try:
        db.execute("BEGIN IMMEDIATE")
        db.execute("DELETE FROM sqlite_schema")
        db.executemany(
            "INSERT INTO sqlite_schema VALUES (?, ?, 'batch', ?, ?)",
            [
                ("table", "batch", spool_tables.BATCH_PAGE, spool_tables.BATCH),
                ("index", spool_tables.NAMES, spool_tables.NAMES_PAGE, None),
            ],
        )
        db.execute("PRAGMA writable_schema = RESET")
    except sqlite_file.FAILURES as error:
        if sqlite_file.primary_code(error) == sqlite3.SQLITE_BUSY:
            raise  # another agent uses the file
        if db.in_transaction:
            db.execute("ROLLBACK")


def _row_ids(db: sqlite3.Connection, suppressed: Sequence[type[Exception]]) -> list[int]:
    found: set[int] = set()
    for walk in _ROW_ID_QUERIES:
        with suppress(*suppressed):
            found.update(one for (one,) in db.execute(walk))
    return sorted(found)


def _text(data: bytes) -> str:
    return data.decode(errors="replace")  # damaged text may be invalid UTF-8


def _sibling(path: Path, what: str) -> Path:
    return path.with_name(f"{path.name}.{what}")


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _remove(path: Path) -> None:
    for one in (path, _wal(path)):
        one.unlink(missing_ok=True)


def _move(from_: Path, to: Path) -> None:
    """Rename a file, and sync the folder, so that a power cut can't reorder several renamings."""
    from_.rename(to)
    folder = os.open(to.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
