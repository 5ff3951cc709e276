"""A damaged spool is set aside, and what it still gives back stands in its place.

Laws:

1. A batch whose checksum is wrong is not given back.
2. The damaged file stays where it is until all that it gives back lies on the disk under another
   name, with its counts. Who is killed before that begins again; who is killed after it goes on.
   At no moment is there a batch in the place of the spool that is not counted there.
3. A log is moved away before another file takes the place of its own: SQLite would write it over
   whatever stands there.
4. What the disk has no room for waits for a while; then the oldest give way, as they do in a spool
   that is full.
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

from edge_agent.polling.circuit_breaker import CircuitBreaker
from edge_agent.spool import batch_queue, spool_tables, sqlite_file
from edge_agent.spool.batch_queue import Row, whole
from edge_agent.spool.sample_counts import Counts, settled, youngest
from jieneng.observe import Log

_NO_ROOM_S: Final = 60.0  # where there is no room, it is looked for again after this ...
_NO_ROOM_TRIES: Final = 60  # ... so often, before the oldest give way
_LOGS: Final = 3  # how much stays free, in logs: one outgrows its bound by a transaction

# The table and the index of names both know the numbers of all batches: each is walked from both
# ends, as far as it goes.
_WALKS: Final = tuple(
    f"SELECT rowid FROM batch {by} {order}"  # noqa: S608 - ours
    for by, order in (
        ("NOT INDEXED", "ORDER BY rowid"),
        ("NOT INDEXED", "ORDER BY rowid DESC"),
        (f"INDEXED BY {spool_tables.NAMES}", "ORDER BY boot, seq"),
        (f"INDEXED BY {spool_tables.NAMES}", "ORDER BY boot DESC, seq DESC"),
    )
)


class Rescue:
    """Of one spool. How often there was no room for it is remembered."""

    def __init__(self, path: Path, log: Log, now_s: Callable[[], float]) -> None:
        self._path = path
        self._log = log
        self._now_s = now_s
        self._room = CircuitBreaker(_NO_ROOM_S, _NO_ROOM_S, trip=1)

    def check(self) -> None:
        """Fail at once where it is too early to look for room again."""
        if self._now_s() < self._room.not_before_s:
            raise sqlite_file.full()

    def anew(self, log_bytes: int, known: Counts, reason: str) -> Counts:
        """Set the damaged file aside, and put what it gives back in its place.

        Args:
            log_bytes: how large a log may grow before it is written back.
            known: the youngest counts that are to be had elsewhere.
            reason: why it is taken for damaged.

        Returns:
            The counts from which those of the new file go on.

        Raises:
            sqlite3.Error: the disk takes no more, or nothing at all; all is as it was.
            OSError: the same.
        """
        _remove(_beside(self._path, "damaged"))  # it has been rescued from, and takes room
        before = youngest(known, counts_of(self._path))
        new = _beside(self._path, "new")
        try:
            after = self._made(new, log_bytes, before)
        except BaseException as error:
            with suppress(OSError):
                _remove(new)
            if sqlite_file.code(error) == sqlite3.SQLITE_FULL:
                self._room.failed(self._now_s())
            raise
        _move(new, _beside(self._path, "rescued"))
        aside = finish(self._path)
        self._room.answered()
        self._log.error(
            "spool was damaged, set aside, and begun anew",
            reason=reason,
            aside=str(aside),
            rescued=after.pending,
            dropped=after.dropped - before.dropped,
        )
        return before

    def _made(self, new: Path, log_bytes: int, before: Counts) -> Counts:
        """Make the new file; its counts."""
        _remove(new)
        patient = self._room.failures < _NO_ROOM_TRIES
        with closing(sqlite_file.opened(new, log_bytes)) as db:
            _bring_over(db, self._path, log_bytes, patient=patient)
            after = _settle(db, before)
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # its log does not move with it
        return after


def finish(path: Path) -> Path:
    """Go on where a rescue was cut off, if one was; the name of what was set aside."""
    aside, rescued = _beside(path, "damaged"), _beside(path, "rescued")
    if rescued.exists():
        if _log(path).exists():
            _move(_log(path), _log(aside))
        if path.exists():
            _move(path, aside)
        _move(rescued, path)
    return aside


def counts_of(path: Path) -> Counts:
    """What a damaged file says of itself, if it says anything that can be."""
    if not path.exists():
        return Counts()
    try:
        with closing(_opened(path)) as db:
            return batch_queue.sound_counts(db)
    except sqlite_file.FAILURES:
        return Counts()


def given_back(path: Path) -> Generator[Row, None, None]:
    """The whole batches of a damaged file, in the order in which they were put."""
    with closing(_opened(path)) as db:
        _believe_ourselves(db)
        for number in _numbers(db):
            with suppress(*sqlite_file.FAILURES):
                found = db.execute(
                    "SELECT boot, seq, samples, payload, machine, crc FROM batch WHERE rowid = ?",
                    (number,),
                ).fetchone()
                if found is not None and (row := whole(found)) is not None:
                    yield row


def _bring_over(db: sqlite3.Connection, path: Path, log_bytes: int, *, patient: bool) -> None:
    """Take what the damaged file gives back, in transactions of a log at most."""
    room = shutil.disk_usage(path.parent).free - _LOGS * log_bytes
    if room < log_bytes:
        raise sqlite_file.full()
    with closing(given_back(path)) as rows:
        for some in _in_parts(rows, log_bytes):
            put = partial(_put, room=room, patient=patient)
            try:
                batch_queue.whole_or_not(db, partial(put, rows=some))
            except sqlite3.IntegrityError:  # a name rotted into another's
                for one in some:
                    with suppress(sqlite3.IntegrityError):
                        batch_queue.whole_or_not(db, partial(put, rows=[one]))


def _in_parts(rows: Iterable[Row], most_bytes: int) -> Iterator[list[Row]]:
    part: list[Row] = []
    for row in rows:
        if part and batch_queue.pages([*part, row]) * sqlite_file.PAGE_BYTES > most_bytes:
            yield part
            part = []
        part.append(row)
    if part:
        yield part


def _put(db: sqlite3.Connection, *, rows: Sequence[Row], room: int, patient: bool) -> None:
    pages = batch_queue.pages(rows)
    if not batch_queue.has_room(db, pages, room):
        if patient:
            raise sqlite_file.full()
        batch_queue.drop_for_pages(db, pages)
    batch_queue.insert(db, rows, at_s=0.0)


def _settle(db: sqlite3.Connection, before: Counts) -> Counts:
    """Give the new file the counts of the old one, and of what became of the rest."""
    found = batch_queue.counts(db)
    gone = min(found.full, before.pending)
    known = msgspec.structs.replace(before, pending=before.pending - gone, full=before.full + gone)
    after = settled(known, found)
    batch_queue.whole_or_not(db, lambda db: batch_queue.write_counts(db, after))
    return after


def _opened(path: Path) -> sqlite3.Connection:
    """For reading. Exclusively: a shared one needs room on the disk, for the index of its log."""
    db = sqlite3.connect(path, timeout=0, isolation_level=None)
    db.execute("PRAGMA writable_schema = ON")  # that it has rotted keeps nobody from the rest
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    db.text_factory = _text
    return db


def _believe_ourselves(db: sqlite3.Connection) -> None:
    """Read the tables as we know them, in a transaction that nobody ever commits.

    What the file says of them may have rotted, or be of an earlier version.
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
        if sqlite_file.code(error) == sqlite3.SQLITE_BUSY:
            raise  # another agent has it
        if db.in_transaction:
            db.execute("ROLLBACK")


def _numbers(db: sqlite3.Connection) -> list[int]:
    found: set[int] = set()
    for walk in _WALKS:
        with suppress(*sqlite_file.FAILURES):
            found.update(one for (one,) in db.execute(walk))
    return sorted(found)


def _text(data: bytes) -> str:
    return data.decode(errors="replace")  # what rotted may be no text


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f"{path.name}.{what}")


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _remove(path: Path) -> None:
    for one in (path, _log(path)):
        one.unlink(missing_ok=True)


def _move(from_: Path, to: Path) -> None:
    """Rename it, and see that the disk keeps the order of such steps."""
    from_.rename(to)
    folder = os.open(to.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
