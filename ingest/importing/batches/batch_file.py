"""Record the imports of a site in `imports/imports.db` in the site's folder.

A batch (numbered import) is recorded in parts: new points of one series, and the values they
replace.

Laws:

1. When `add_part` returns, the part survives a power cut. Points may be written only after that.
2. A part is never changed. An undo only changes the state of its batch.
3. Only one process at a time may import or undo: the one that holds the lock. The lock is released
   when the process ends.
"""

import fcntl
import hashlib
import os
import pwd
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from ingest.importing.batches.batch_record import (
    BatchCounts,
    BatchRecord,
    BatchSeries,
    BatchSource,
    BatchState,
    FilePart,
)
from ingest.importing.batches.point_columns import PointColumns, pack, unpack
from jieneng.metering.errors import StoreUnavailable, UsageError
from jieneng.metering.schema import Point
from jieneng.storage.embedded.sqlite_statements import transaction
from jieneng.storage.sqlite_wal import make_durable

#: Name of the folder for imports in the site's folder.
FOLDER: Final = "imports"
FILE_NAME: Final = "imports.db"
_LOCK_NAME: Final = "lock"
_BUSY_TIMEOUT_S: Final = 10.0
_VERSION: Final = 2

_TABLES: Final = (
    """CREATE TABLE batch (
        number INTEGER PRIMARY KEY AUTOINCREMENT, state TEXT NOT NULL, time_ms INTEGER NOT NULL,
        undone_ms INTEGER, source BLOB NOT NULL, counts BLOB NOT NULL, digest TEXT NOT NULL)""",
    """CREATE TABLE part (
        id INTEGER PRIMARY KEY, batch INTEGER NOT NULL REFERENCES batch, measurement TEXT NOT NULL,
        meter TEXT NOT NULL, fields TEXT NOT NULL, quantity TEXT NOT NULL,
        first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, points INTEGER NOT NULL,
        data BLOB NOT NULL)""",
    "CREATE INDEX part_of_batch ON part (batch)",
    "CREATE INDEX part_of_series ON part (measurement, meter, quantity, first_ms)",
    """CREATE TABLE file_part (
        batch INTEGER NOT NULL REFERENCES batch, name TEXT NOT NULL, written TEXT NOT NULL,
        previous TEXT)""",
    # Points that are being deleted to remove one field. They are kept here until they are written
    # again without the field.
    "CREATE TABLE rescued (id INTEGER PRIMARY KEY, points BLOB NOT NULL)",
)

_encode: Final = msgspec.json.encode


def file_digest(file: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def account_name() -> str:
    """Return the name of the account that runs the command."""
    if told := os.environ.get("SUDO_USER") or os.environ.get("USER"):
        return told
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container, the account may have no name
        return str(os.getuid())


class BatchFile:
    """The record of the imports of a site.

    Args:
        folder: the site's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._db: sqlite3.Connection | None = None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the file (law 3).

        Raises:
            UsageError: another process holds it.
            StoreUnavailable: the file can't be used.
        """
        with self._errors():
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = (self._folder / _LOCK_NAME).open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise UsageError(
                "another import into this site is running: wait until it has ended."
            ) from error
        try:
            yield
        finally:
            lock.close()

    def begin(self, source: BatchSource, time_ms: int) -> int:
        """Add a batch that is being written, and return its number."""
        with self._writing() as db:
            added = db.execute(
                "INSERT INTO batch (state, time_ms, source, counts, digest) VALUES (?, ?, ?, ?, ?)",
                ("writing", time_ms, _encode(source), _encode(BatchCounts()), source.digest),
            )
            return int(added.lastrowid or 0)

    def add_part(self, number: int, written: PointColumns, previous: PointColumns) -> None:
        """Record points that will be written, and the present values of these points (law 1)."""
        with self._writing() as db:
            db.execute(
                "INSERT INTO part (batch, measurement, meter, fields, quantity, first_ms, last_ms, "
                "points, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    number,
                    written.measurement,
                    written.meter,
                    ",".join(written.fields),
                    written.quantity,
                    written.times_ms[0],
                    written.times_ms[-1],
                    len(written),
                    pack(written, previous),
                ),
            )

    def add_file_part(self, number: int, part: FilePart) -> None:
        """Record the new and the present text of a file in the site's folder (law 1)."""
        with self._writing() as db:
            row = (number, part.name, part.written, part.previous)
            db.execute("INSERT INTO file_part VALUES (?, ?, ?, ?)", row)

    def file_parts(self, number: int) -> list[FilePart]:
        """Return the files of the site's folder that a batch has written."""
        with self._errors():
            rows = self._open().execute(
                "SELECT name, written, previous FROM file_part WHERE batch = ?", (number,)
            )
            return [FilePart(*row) for row in rows]

    def set_state(self, number: int, state: BatchState, counts: BatchCounts | None = None) -> None:
        """Set the state of a batch, and its counts if they are given."""
        with self._writing() as db:
            db.execute("UPDATE batch SET state = ? WHERE number = ?", (state, number))
            if counts is not None:
                row = (_encode(counts), number)
                db.execute("UPDATE batch SET counts = ? WHERE number = ?", row)

    def set_undone(self, number: int, time_ms: int) -> None:
        """Note that a batch was undone."""
        with self._writing() as db:
            db.execute(
                "UPDATE batch SET state = 'undone', undone_ms = ? WHERE number = ?",
                (time_ms, number),
            )

    def batches(self) -> list[BatchRecord]:
        """Return all batches by ascending number."""
        if not self._path.exists():
            return []
        with self._errors():
            rows = self._open().execute(
                "SELECT number, state, time_ms, undone_ms, source, counts FROM batch ORDER BY 1"
            )
            return [_batch(row) for row in rows]

    def batch(self, number: int) -> BatchRecord | None:
        """Return the batch with this number; None if there is none."""
        return next((one for one in self.batches() if one.number == number), None)

    def series(self, number: int) -> list[BatchSeries]:
        """Return the series of a batch."""
        with self._errors():
            rows = self._open().execute(
                "SELECT measurement, meter, quantity, sum(points), min(first_ms), max(last_ms) "
                "FROM part WHERE batch = ? GROUP BY 1, 2, 3 ORDER BY min(id)",
                (number,),
            )
            return [
                BatchSeries(
                    measurement=row[0],
                    meter=row[1],
                    quantity=row[2],
                    points=row[3],
                    first_ms=row[4],
                    last_ms=row[5],
                )
                for row in rows
            ]

    def parts(self, number: int) -> Iterator[tuple[PointColumns, PointColumns]]:
        """Yield (written values, previous values) of a batch's parts, last part first."""
        with self._errors():
            ids = self._open().execute(
                "SELECT id FROM part WHERE batch = ? ORDER BY id DESC", (number,)
            )
            wanted = [part for (part,) in ids]
        for part in wanted:
            with self._errors():
                row = self._open().execute(_PART_BY_ID, (part,)).fetchone()
            yield _unpacked(row)

    def parts_of_series(
        self, columns: PointColumns, *, after: int = 0
    ) -> Iterator[tuple[int, PointColumns]]:
        """Yield (batch number, written points) of parts that may contain some of these points.

        Args:
            columns: points of a series.
            after: only batches with a higher number are searched.
        """
        if not len(columns) or not self._path.exists():
            return
        with self._errors():
            rows = self._open().execute(
                "SELECT part.id, batch FROM part JOIN batch ON batch = batch.number "
                "WHERE state != 'undone' AND batch > ? AND measurement = ? AND meter = ? "
                "AND quantity = ? AND first_ms <= ? AND last_ms >= ? ORDER BY part.id",
                (
                    after,
                    columns.measurement,
                    columns.meter,
                    columns.quantity,
                    columns.times_ms[-1],
                    columns.times_ms[0],
                ),
            )
            found = list(rows)
        for part, number in found:
            with self._errors():
                row = self._open().execute(_PART_BY_ID, (part,)).fetchone()
            yield number, _unpacked(row)[0]

    def rescue(self, points: Sequence[Point]) -> None:
        """Record points that will be deleted and written again."""
        with self._writing() as db:
            db.execute("INSERT INTO rescued (points) VALUES (?)", (_encode(points),))

    def rescued(self) -> list[Point]:
        """Return the points that have to be written again."""
        if not self._path.exists():
            return []
        with self._errors():
            rows = self._open().execute("SELECT points FROM rescued ORDER BY id")
            return [
                point
                for (points,) in rows
                for point in msgspec.json.decode(points, type=list[Point])
            ]

    def forget_rescued(self) -> None:
        """Delete the recorded points, because they were written again."""
        with self._writing() as db:
            db.execute("DELETE FROM rescued")

    def close(self) -> None:
        """Close the file."""
        connection, self._db = self._db, None
        if connection is not None:
            connection.close()

    @property
    def _path(self) -> Path:
        return self._folder / FILE_NAME

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._errors():
            db = self._open()
            with transaction(db, "IMMEDIATE"):
                yield db

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            is_new = not self._path.exists()
            db = sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
            self._db = db
            make_durable(db, _BUSY_TIMEOUT_S)
            _create_tables(db)
            if is_new:
                _force_to_disk(self._folder)
                _force_to_disk(self._folder.parent)
        return self._db

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, OSError) as error:
            self.close()
            raise StoreUnavailable(
                "the record of imports {path} can't be used: {reason}. Check the disk's free space "
                "and the file's permissions.",
                path=self._path,
                reason=error,
            ) from error


_PART_BY_ID: Final = "SELECT data, measurement, meter, fields FROM part WHERE id = ?"


def _unpacked(row: tuple[bytes, str, str, str]) -> tuple[PointColumns, PointColumns]:
    data, measurement, meter, fields = row
    return unpack(data, measurement, meter, tuple(fields.split(",")))


def _batch(row: tuple[int, BatchState, int, int | None, bytes, bytes]) -> BatchRecord:
    number, state, time_ms, undone_ms, source, counts = row
    return BatchRecord(
        number=number,
        state=state,
        time_ms=time_ms,
        undone_ms=undone_ms,
        source=msgspec.json.decode(source, type=BatchSource),
        counts=msgspec.json.decode(counts, type=BatchCounts),
    )


def _create_tables(db: sqlite3.Connection) -> None:
    with transaction(db, "IMMEDIATE"):
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in _TABLES:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {_VERSION}")
        elif version != _VERSION:
            raise sqlite3.DatabaseError(f"it is of version {version}, not {_VERSION}")


def _force_to_disk(folder: Path) -> None:
    """Sync a folder to the disk, so that a new file in it survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
