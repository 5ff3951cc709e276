"""Open the spool's SQLite file with the right settings, and classify SQLite's errors.

Law: an open file is locked by this agent, has exactly the tables of `spool_tables`, and has passed
SQLite's quick check.

The file is in WAL mode with `synchronous=FULL`. Freed pages are reused, so the file does not grow
beyond the largest size of its content. The write-ahead log (WAL) takes space in addition.
"""

import os
import sqlite3
from pathlib import Path
from typing import Final

from edge_agent.spool import spool_tables
from jieneng.metering.errors import SpoolUnavailable

PAGE_BYTES: Final = 4096  # SQLite's default
#: Exceptions that work on a file may raise. `ValueError`, `TypeError` and `ArithmeticError` occur
#: if a value in a damaged row has a wrong type, or if an error message quotes damaged text.
FAILURES: Final = (sqlite3.Error, OSError, ValueError, TypeError, ArithmeticError)
# Result codes that do not mean damage: errors of the disk, a file locked by another process, and a
# duplicate name. All other codes mean damage; even "SQL error" does, if the schema is damaged.
_NOT_CORRUPTION: Final = frozenset(
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


def open_file(path: Path, wal_bytes: int) -> sqlite3.Connection:
    """Open or create the file. Its WAL is checkpointed when it has grown to `wal_bytes`.

    Raises:
        sqlite3.Error: the file can't be opened, or is damaged.
        SpoolUnavailable: the file has an unknown version, or is not a spool.
    """
    db = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        _refuse_foreign_database(db, path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        # With secure_delete, SQLite would overwrite removed batches with zeros, which needs space
        # in the WAL.
        db.execute("PRAGMA secure_delete = OFF")
        db.execute(f"PRAGMA journal_size_limit = {wal_bytes}")
        db.execute(f"PRAGMA wal_autocheckpoint = {wal_bytes // PAGE_BYTES}")
        _migrate(db, path)
        _check_writable(db, path)
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise corruption_error(found)
    except BaseException:
        db.close()
        raise
    return db


def _refuse_foreign_database(db: sqlite3.Connection, path: Path) -> None:
    if spool_tables.is_foreign([name for (name,) in db.execute("SELECT name FROM sqlite_schema")]):
        raise SpoolUnavailable(
            "{path} is not a spool, but another program's database; choose another file for"
            " the spool.",
            path=path,
        )


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version in spool_tables.UPGRADES:
        db.executescript(
            f"BEGIN IMMEDIATE; {spool_tables.UPGRADES[version]}"
            f" PRAGMA user_version = {spool_tables.VERSION}; COMMIT;"
        )
        version = spool_tables.VERSION
    tables = db.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema")
    ours = spool_tables.match_current_version(tables)
    if ours and version != spool_tables.VERSION:
        raise corruption_error(f"it has the present tables, but its version number is {version}")
    if version != spool_tables.VERSION:
        raise SpoolUnavailable(
            "{path} was made by another version; move it away, or run that version.",
            path=path,
        )
    if not ours:
        raise corruption_error("its tables differ from those of its version")


def _check_writable(db: sqlite3.Connection, path: Path) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute(f"PRAGMA user_version = {spool_tables.VERSION}")
    except sqlite3.OperationalError as error:
        # On a read-only file system, pending batches can still be read.
        if primary_code(error) == sqlite3.SQLITE_READONLY and os.access(path, os.W_OK):
            raise corruption_error("its header says read-only, but the disk is writable") from error
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode of the file; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_read_only(path: Path) -> bool:
    """Return True if the file system of the file is read-only."""
    try:
        return bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def primary_code(error: BaseException | None) -> int:
    """Return SQLite's primary result code; 0 if the error is not SQLite's."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_corruption(error: Exception) -> bool:
    """Return True if the error means that the content of the file is damaged."""
    if isinstance(error, sqlite3.Error):
        return primary_code(error) not in _NOT_CORRUPTION
    return not isinstance(error, OSError)


def is_unreadable(error: Exception) -> bool:
    """Return True if the error means that the file can't be read from the disk."""
    return getattr(error, "sqlite_errorcode", 0) in _UNREADABLE


def corruption_error(found: str) -> sqlite3.DatabaseError:
    """Return the error that SQLite raises for a damaged file."""
    error = sqlite3.DatabaseError(found)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def full_error() -> sqlite3.OperationalError:
    """Return the error that SQLite raises if the disk is full."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error
