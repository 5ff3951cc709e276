"""A SQLite file as the spool needs it, and what its errors mean.

Law: a file that is opened here is ours alone, of the version of `spool_tables`, and sound as far as
SQLite's quick check sees.

It is in WAL mode with `synchronous=FULL`. Pages that are freed are used again, so it stays within
what its content takes; the log comes on top.
"""

import os
import sqlite3
from pathlib import Path
from typing import Final

from edge_agent import spool_tables
from jieneng.metering.errors import SpoolUnavailable

PAGE_BYTES: Final = 4096  # SQLite's own
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNREADABLE: Final = frozenset({sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ})


def opened(path: Path, log_bytes: int) -> sqlite3.Connection:
    """Open or make it; its log is written back when it has grown to so many bytes.

    Raises:
        sqlite3.Error: it can't be opened, or is damaged.
        SpoolUnavailable: it is of a version that is not known here.
    """
    db = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        # Else a confirmation writes zeros over all that it frees, and needs the room for them.
        db.execute("PRAGMA secure_delete = OFF")
        db.execute(f"PRAGMA journal_size_limit = {log_bytes}")
        db.execute(f"PRAGMA wal_autocheckpoint = {log_bytes // PAGE_BYTES}")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version in spool_tables.TO_VERSION:
            db.executescript(
                f"BEGIN IMMEDIATE; {spool_tables.TO_VERSION[version]}"
                f" PRAGMA user_version = {spool_tables.VERSION}; COMMIT;"
            )
        elif version != spool_tables.VERSION:
            raise SpoolUnavailable(
                "{path} was made by another version; move it away, or run that version.",
                path=path,
            )
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise damaged(found)
    except BaseException:
        db.close()
        raise
    return db


def widen(db: sqlite3.Connection, size: int) -> None:
    """Have it hold so many bytes, in pages that are free unless something is in them already.

    They are written, once to the log and once to the file: only so is the disk's room taken.
    """
    (there,) = db.execute("PRAGMA page_count").fetchone()
    (free,) = db.execute("PRAGMA freelist_count").fetchone()
    missing = size // PAGE_BYTES - there
    if missing <= 0:
        return
    db.execute("PRAGMA secure_delete = ON")  # else pages that are free again stay unwritten
    try:
        db.execute("BEGIN IMMEDIATE")
        db.execute("CREATE TABLE room (taken BLOB)")
        db.execute("INSERT INTO room VALUES (zeroblob(?))", ((free + missing) * PAGE_BYTES,))
        db.execute("DROP TABLE room")
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
        db.execute("PRAGMA secure_delete = OFF")


def identity(path: Path) -> tuple[int, int] | None:
    """Which file stands there; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_read_only(path: Path) -> bool:
    """Whether its file system is."""
    try:
        return bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def code(error: BaseException | None) -> int:
    """SQLite's primary code; 0 where it isn't SQLite's."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_damage(error: Exception) -> bool:
    """Whether it says that the file is not what was written."""
    # That a text is none any more, sqlite3 says without a code; where a name has rotted in the
    # schema, it takes ours for wrong.
    return code(error) in _DAMAGE or str(error).startswith(("Could not decode", "no such column"))


def is_unreadable(error: Exception) -> bool:
    """Whether it says that the disk does not give the file back."""
    return getattr(error, "sqlite_errorcode", 0) in _UNREADABLE


def damaged(found: str) -> sqlite3.DatabaseError:
    """The error that SQLite would give, had it noticed."""
    error = sqlite3.DatabaseError(found)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def full() -> sqlite3.OperationalError:
    """The error that SQLite gives where the disk has no more room."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error
