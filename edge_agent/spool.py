"""The disk queue: batches stay here from the moment they are read until the ingest has stored them.

Laws:

1. When `put` returns, the batches survive the death of the process and of the machine.
2. A batch leaves only by `confirm`, or as the oldest of a full spool, and both are counted in the
   same transaction: `read = stored + pending + dropped`, at any moment, over restarts, in samples.
3. A damaged file is set aside under another name and a new one begun; the counts go on, and what
   was pending in the old file counts as dropped.
4. A full disk never locks the queue. Where less is free than the reserve (see there) holds, the
   file grows no more: the oldest give way to the new. Where others fill the disk to the last byte,
   the reserve is given up for as long as a transaction takes. It holds four times what the log may
   before it is written back, so that this always ends, and the log is cut and gives back what the
   file grew by. A new reading that even so finds no room is refused; nothing pending is touched.

SQLite in WAL mode with `synchronous=FULL`, opened exclusively, on a thread of its own. The bound is
on payload bytes: pages that are freed are used again, so the file stays near it.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import cached_property
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from edge_agent.reserve import Reserve
from jieneng.metering.errors import SpoolUnavailable
from jieneng.metering.reading import Ack
from jieneng.observe import Log

_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE batch (
    id INTEGER PRIMARY KEY,
    boot TEXT NOT NULL,
    seq INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    payload BLOB NOT NULL,
    UNIQUE (boot, seq)
);
CREATE TABLE ledger (
    read INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    pending INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    bytes INTEGER NOT NULL
);
INSERT INTO ledger VALUES (0, 0, 0, 0, 0);
"""
_PAGE_BYTES: Final = 4096  # SQLite's own
_LOGS: Final = 4  # how often the reserve holds what the log may be before it is written back
_ROW_PAGES: Final = 4  # that a row may need beyond its payload: table, index, overflow, list
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_T = TypeVar("_T")


class Row(msgspec.Struct, frozen=True):
    """A batch in the spool.

    Attributes:
        boot: with `seq` the name of the batch.
        samples: how many the payload holds.
        payload: as it is published.
    """

    boot: str
    seq: int
    samples: int
    payload: bytes

    @property
    def key(self) -> tuple[str, int]:
        """Its name."""
        return self.boot, self.seq


class Counts(msgspec.Struct, frozen=True):
    """Samples since the spool was made, and the payload bytes that are in it now."""

    read: int = 0
    stored: int = 0
    pending: int = 0
    dropped: int = 0
    size_bytes: int = 0


class Spool:
    """The queue, for the event loop. Every method but `close` may raise `SpoolUnavailable`.

    Attributes:
        max_bytes: of payload, that it may hold.
        counts: as of the last call.
        changed: set whenever something came or went; who waits on it clears it.
    """

    def __init__(self, path: Path, max_bytes: int, log: Log) -> None:
        self.max_bytes: Final = max_bytes
        self.counts = Counts()
        self.changed: Final = asyncio.Event()
        self._file = _File(path, max_bytes, log)
        self._thread = ThreadPoolExecutor(1, "spool")

    async def open(self) -> None:
        """Open or make the file."""
        self.counts = await self._run(self._file.counts)

    async def put(self, rows: Sequence[Row], lost: int = 0) -> None:
        """Keep batches. The oldest give way where there is no room.

        Args:
            rows: the new ones, in the order in which they were read.
            lost: samples that were read and could not be kept earlier: counted as dropped.
        """
        self.counts = await self._run(lambda: self._file.put(rows, lost))
        self.changed.set()

    async def peek(self, most: int) -> list[Row]:
        """The oldest batches; they stay."""
        return await self._run(lambda: self._file.peek(most))

    async def confirm(self, acks: Sequence[Ack]) -> int:
        """Remove what is stored, or quarantined: both are safe with the ingest.

        Returns:
            How many batches left.
        """
        self.counts, left = await self._run(lambda: self._file.confirm(acks))
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


class _File:
    """The queue, for its thread."""

    def __init__(self, path: Path, max_bytes: int, log: Log) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._log = log
        self._db: sqlite3.Connection | None = None
        self._counts = Counts()

    def counts(self) -> Counts:
        return self._transact(lambda _: None)[0]

    def put(self, rows: Sequence[Row], lost: int) -> Counts:
        def work(db: sqlite3.Connection) -> None:
            self._spare_disk(db, rows)
            db.executemany(
                "INSERT INTO batch (boot, seq, samples, payload) VALUES (?, ?, ?, ?)",
                [(row.boot, row.seq, row.samples, row.payload) for row in rows],
            )
            samples = sum(row.samples for row in rows)
            size = sum(len(row.payload) for row in rows)
            db.execute(
                "UPDATE ledger SET read = read + ?, pending = pending + ?, dropped = dropped + ?,"
                " bytes = bytes + ?",
                (samples + lost, samples, lost, size),
            )
            self._make_room(db)

        return self._transact(work)[0]

    def peek(self, most: int) -> list[Row]:
        def work(db: sqlite3.Connection) -> list[Row]:
            rows = db.execute(
                "SELECT boot, seq, samples, payload FROM batch ORDER BY id LIMIT ?", (most,)
            )
            return [Row(*row) for row in rows]

        return self._transact(work)[1]

    def confirm(self, acks: Sequence[Ack]) -> tuple[Counts, int]:
        ranges = [(ack.boot, *range_) for ack in acks for range_ in ack.stored]
        ranges += [(ack.boot, seq, seq) for ack in acks for seq, _ in ack.quarantined]

        def work(db: sqlite3.Connection) -> int:
            return sum(
                _remove(db, "stored", "boot = ? AND seq BETWEEN ? AND ?", one) for one in ranges
            )

        return self._transact(work)

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _make_room(self, db: sqlite3.Connection) -> None:
        while True:
            (size,) = db.execute("SELECT bytes FROM ledger").fetchone()
            if size <= self._max_bytes:
                return
            _remove(db, "dropped", "id = (SELECT min(id) FROM batch)", ())

    def _spare_disk(self, db: sqlite3.Connection, rows: Sequence[Row]) -> None:
        """Where the disk is nearly full: free as many pages of the file as the rows will need."""
        if not self._reserve.is_tight():
            return
        needed = sum(len(row.payload) // _PAGE_BYTES + _ROW_PAGES for row in rows)
        while db.execute("PRAGMA freelist_count").fetchone()[0] < needed:
            if not _remove(db, "dropped", "id = (SELECT min(id) FROM batch)", ()):
                return

    # --- the file ---

    def _transact(self, work: Callable[[sqlite3.Connection], _T]) -> tuple[Counts, _T]:
        """Do it whole or not at all, in a new file where this one turns out to be damaged."""
        try:
            self._reserve.make()
            return self._attempt(work)
        except (sqlite3.Error, OSError) as error:
            try:
                if _code(error) == sqlite3.SQLITE_FULL:
                    return self._attempt_in_reserve(work)
                if _code(error) in _DAMAGE:
                    self._set_aside(error)
                    return self._attempt(work)
            except (sqlite3.Error, OSError) as again:
                raise self._unavailable(again) from again
            raise self._unavailable(error) from error

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
            self._db = self._open()
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            result = work(db)
            counts = Counts(*db.execute("SELECT * FROM ledger").fetchone())
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        self._counts = counts
        return counts, result

    def _open(self) -> sqlite3.Connection:
        log_bytes = self._reserve.size_bytes // _LOGS
        db = sqlite3.connect(self._path, timeout=0, isolation_level=None)
        try:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            # Else a confirmation writes zeros over all that it frees, and needs the room for them.
            db.execute("PRAGMA secure_delete = OFF")
            db.execute(f"PRAGMA journal_size_limit = {log_bytes}")
            db.execute(f"PRAGMA wal_autocheckpoint = {log_bytes // _PAGE_BYTES}")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                db.executescript(
                    f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;"
                )
            elif version != _VERSION:
                raise SpoolUnavailable(
                    "{path} was made by another version; move it away, or run that version.",
                    path=self._path,
                )
            (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise _damaged(found)
        except BaseException:
            db.close()
            raise
        return db

    def _set_aside(self, error: Exception) -> None:
        counts = self._counts_of_damaged()
        self.close()
        aside = _free_name(self._path)
        for suffix in ("", "-wal"):
            file = self._path.with_name(self._path.name + suffix)
            if file.exists():
                file.rename(aside.with_name(aside.name + suffix))
        self._log.error(
            "spool was damaged, set aside, and begun anew",
            reason=str(error),
            aside=str(aside),
            dropped=counts.pending,
        )
        self._db = self._open()
        self._db.execute(
            "UPDATE ledger SET read = ?, stored = ?, dropped = ?",
            (counts.read, counts.stored, counts.dropped + counts.pending),
        )

    def _counts_of_damaged(self) -> Counts:
        """What the damaged file says of itself where that can be read, else what was last known."""
        try:
            with closing(sqlite3.connect(self._path, timeout=0)) as db:
                return Counts(*db.execute("SELECT * FROM ledger").fetchone())
        except (sqlite3.Error, TypeError):
            return self._counts

    def _unavailable(self, error: Exception) -> SpoolUnavailable:
        return SpoolUnavailable(
            "the spool {path} can't be used ({error}); check the disk, and that no other agent"
            " uses this file.",
            path=self._path,
            error=error,
        )


def _remove(db: sqlite3.Connection, counted_as: str, where: str, values: Sequence[object]) -> int:
    """Delete batches and count their samples; how many batches it were."""
    samples, size = db.execute(
        f"SELECT total(samples), total(length(payload)) FROM batch WHERE {where}",  # noqa: S608 - ours
        values,
    ).fetchone()
    removed = db.execute(f"DELETE FROM batch WHERE {where}", values).rowcount  # noqa: S608 - ours
    db.execute(
        f"UPDATE ledger SET {counted_as} = {counted_as} + ?, pending = pending - ?,"  # noqa: S608 - ours
        " bytes = bytes - ?",
        (int(samples), int(samples), int(size)),
    )
    return removed


def _code(error: Exception) -> int:
    """SQLite's primary code; 0 where it isn't SQLite's."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _damaged(found: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(found)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _free_name(path: Path) -> Path:
    number = 1
    while (name := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return name
