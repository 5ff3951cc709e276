"""A SQLite file as the spool needs it, and what its errors mean.

Law: a file that is opened here is ours alone, of the version of `spool_tables` to the letter, and
sound as far as SQLite's quick check sees.

It is in WAL mode with `synchronous=FULL`. Pages that are freed are used again, so it stays within
what its content takes; the log comes on top.
"""

import os
import sqlite3
from pathlib import Path
from typing import Final

from edge_agent.spool import spool_tables
from jieneng.metering.errors import SpoolUnavailable

PAGE_BYTES: Final = 4096  # SQLite's own
#: What work on a file raises. What is no error of SQLite's or the system's: a row holds something
#: else than was put, or a message repeats what rotted and is no text.
FAILURES: Final = (sqlite3.Error, OSError, ValueError, TypeError, ArithmeticError)
# What says something of the disk, or of another who uses the file, or of a name that is taken.
# There are too many others, and none of them has another cause: SQLite takes our question for wrong
# where the answer has rotted.
_NO_DAMAGE: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CONSTRAINT,
    }
)
_UNREADABLE: Final = frozenset({sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ})


def opened(path: Path, log_bytes: int) -> sqlite3.Connection:
    """Open or make it; its log is written back when it has grown to so many bytes.

    Raises:
        sqlite3.Error: it can't be opened, or is damaged.
        SpoolUnavailable: it is of a version that is not known here, or no spool.
    """
    db = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        _see_that_it_is_no_others(db, path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        # Else a confirmation writes zeros over all that it frees, and needs the room for them.
        db.execute("PRAGMA secure_delete = OFF")
        db.execute(f"PRAGMA journal_size_limit = {log_bytes}")
        db.execute(f"PRAGMA wal_autocheckpoint = {log_bytes // PAGE_BYTES}")
        _bring_to_version(db, path)
        _see_that_it_lets_write(db, path)
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise damaged(found)
    except BaseException:
        db.close()
        raise
    return db


def _see_that_it_is_no_others(db: sqlite3.Connection, path: Path) -> None:
    if spool_tables.are_others([name for (name,) in db.execute("SELECT name FROM sqlite_schema")]):
        raise SpoolUnavailable(
            "{path} is no spool, but another program's database; give the spool a file of its own.",
            path=path,
        )


def _bring_to_version(db: sqlite3.Connection, path: Path) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version in spool_tables.TO_VERSION:
        db.executescript(
            f"BEGIN IMMEDIATE; {spool_tables.TO_VERSION[version]}"
            f" PRAGMA user_version = {spool_tables.VERSION}; COMMIT;"
        )
        version = spool_tables.VERSION
    tables = db.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema")
    ours = spool_tables.are_ours(tables)
    if ours and version != spool_tables.VERSION:
        raise damaged(f"it has our tables, and is said to be of version {version}")
    if version != spool_tables.VERSION:
        raise SpoolUnavailable(
            "{path} was made by another version; move it away, or run that version.",
            path=path,
        )
    if not ours:
        raise damaged("its tables are not as they were made")


def _see_that_it_lets_write(db: sqlite3.Connection, path: Path) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute(f"PRAGMA user_version = {spool_tables.VERSION}")
    except sqlite3.OperationalError as error:
        # A file system that is read-only may still give what is pending.
        if code(error) == sqlite3.SQLITE_READONLY and os.access(path, os.W_OK):
            raise damaged("its head forbids to write it, and the disk does not") from error
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


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
    if isinstance(error, sqlite3.Error):
        return code(error) not in _NO_DAMAGE
    return not isinstance(error, OSError)


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
