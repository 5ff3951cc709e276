"""Store points in a SQLite file that several processes can use at once: the embedded store.

Each measurement is a table, and each field a column, which is added when the field is first
written. The primary key is series and time, so a point that is written again replaces itself. The
tags of a series are stored once, as JSON, in the table `_series`.

Laws:

- The file is used only in a thread of the store, never in the event loop.
- A write is one transaction. `BEGIN IMMEDIATE` takes the lock before anything is looked up, so that
  no other process can add the same series or column in between. Series and columns are never
  removed from the file, so they are cached across transactions. A failed transaction clears the
  cache.
- The file is in WAL mode with `synchronous = FULL`: readers never wait for a writer, and points
  survive a power cut once `write` has returned.

Measured (2 cores, SQLite 3.40): a single-field point takes 24 bytes with `WITHOUT ROWID` and 42
with a rowid, and writing is 20 % faster. A larger page size changes neither.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from jieneng.metering.errors import StoreUnavailable
from jieneng.metering.schema import TEXT_FIELDS, Point
from jieneng.storage import sqlite_statements
from jieneng.storage.point_rules import rejection_reason
from jieneng.storage.settings import StoreSettings
from jieneng.storage.sqlite_wal import make_durable
from jieneng.storage.store import (
    INVALID,
    RejectedPoint,
    Series,
    TextSeries,
    WriteResult,
    write_result,
)

_Result = TypeVar("_Result")
_Tags: TypeAlias = tuple[tuple[str, str], ...]
#: Measurement and fields of a row. Rows of one shape are written by one statement.
_Shape: TypeAlias = tuple[str, tuple[str, ...]]
#: Parameters of the statement of a shape: series, time and values.
_Row: TypeAlias = tuple[object, ...]

_SERIES_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS _series (
        id INTEGER PRIMARY KEY, measurement TEXT NOT NULL, tags TEXT NOT NULL,
        UNIQUE (measurement, tags)
    )"""

#: Interval between two attempts to switch a new file to WAL [s].
_WAL_RETRY_S: Final = 0.01

#: Errors of the file or the disk. Every other error of sqlite3 is a bug in this module.
_FILE_ERRORS: Final = ("SQLITE_NOTADB", "SQLITE_CORRUPT")


def open_store(settings: StoreSettings, folder: Path) -> "SqliteStore":
    """Return a store in the file of `path`."""
    return SqliteStore(folder / settings.path)


class SqliteStore:
    """A `Store` in a file.

    Args:
        path: the file; it and its folder are created if they do not exist.
        busy_timeout_s: longest wait for another process's write [s].
    """

    def __init__(self, path: Path, busy_timeout_s: float = 10.0) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        self._connection: sqlite3.Connection | None = None
        self._series_ids: dict[tuple[str, _Tags], int] = {}
        self._columns: dict[str, set[str]] = {}

    async def prepare(self) -> None:
        """Create the file."""
        await self._in_thread(lambda _: None)

    async def write(self, points: Sequence[Point]) -> WriteResult:
        """Write points in one transaction."""
        return await self._in_thread(lambda connection: self._write(connection, points))

    async def read(
        self,
        measurement: str,
        field: str,
        *,
        where: Mapping[str, str],
        start_ms: int,
        end_ms: int,
    ) -> list[Series]:
        """Return the series of a float field in `start_ms <= time < end_ms`."""
        return await self._in_thread(
            lambda c: sqlite_statements.read(c, measurement, field, where, start_ms, end_ms)
        )

    async def read_text(
        self,
        measurement: str,
        field: str,
        *,
        where: Mapping[str, str],
        start_ms: int,
        end_ms: int,
    ) -> list[TextSeries]:
        """Return the series of a text field in `start_ms <= time < end_ms`."""
        return await self._in_thread(
            lambda c: sqlite_statements.read_text(c, measurement, field, where, start_ms, end_ms)
        )

    async def count(
        self,
        measurement: str,
        field: str,
        *,
        where: Mapping[str, str],
        start_ms: int,
        end_ms: int,
        step_ms: int,
    ) -> list[Series]:
        """Return the number of points of a field in each interval, by series."""
        times = (start_ms, end_ms, step_ms)
        return await self._in_thread(
            lambda c: sqlite_statements.count(c, measurement, field, where, times)
        )

    async def span(
        self, measurement: str, *, where: Mapping[str, str], field: str | None = None
    ) -> tuple[int, int] | None:
        """Return the first and last time of matching points [UTC, ms]."""
        return await self._in_thread(lambda c: sqlite_statements.span(c, measurement, where, field))

    async def delete(
        self, measurement: str, *, where: Mapping[str, str], start_ms: int, end_ms: int
    ) -> None:
        """Delete matching points in `start_ms <= time < end_ms`."""
        await self._in_thread(
            lambda c: sqlite_statements.delete(c, measurement, where, start_ms, end_ms)
        )

    async def retention_s(self) -> float | None:
        """Return None: points are kept without end."""
        return None

    async def close(self) -> None:
        """Close the file. The store can't be used again."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close_file)
        self._thread.shutdown(wait=False)

    # --- in the thread ------------------------------------------------------------------------

    async def _in_thread(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._run_or_close, work)

    def _run_or_close(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Run the work. After a failure the file is closed, because it may have been replaced."""
        try:
            return work(self._open())
        except sqlite3.DatabaseError as error:
            self._close_file()
            if (
                isinstance(error, sqlite3.OperationalError)
                or error.sqlite_errorname in _FILE_ERRORS
            ):
                raise StoreUnavailable(
                    "the store {path} can't be used: {reason}. Check the disk's free space and "
                    "the file's permissions, and that no other program holds it.",
                    path=self._path,
                    reason=error,
                ) from error
            raise
        except OSError as error:
            raise StoreUnavailable(
                "the folder of the store {path} can't be created: {reason}. Check its permissions.",
                path=self._path,
                reason=error.strerror,
            ) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                self._path, timeout=self._busy_timeout_s, isolation_level=None
            )
            make_durable(self._connection, self._busy_timeout_s)
            self._connection.execute(_SERIES_TABLE)
        return self._connection

    def _close_file(self) -> None:
        connection, self._connection = self._connection, None
        self._series_ids.clear()
        self._columns.clear()
        if connection is not None:
            connection.close()

    def _write(self, connection: sqlite3.Connection, points: Sequence[Point]) -> WriteResult:
        reasons = [rejection_reason(point) for point in points]
        accepted = [p for p, reason in zip(points, reasons, strict=True) if reason is None]
        with sqlite_statements.transaction(connection, "IMMEDIATE"):
            rows = [self._row(connection, point) for point in accepted]
            for shape, group in _group_by_shape(rows):
                self._add_missing_columns(connection, shape)
                connection.executemany(_upsert(shape), group)
        return write_result(
            len(points),
            [
                RejectedPoint(index, points[index], INVALID, reason)
                for index, reason in enumerate(reasons)
                if reason is not None
            ],
        )

    def _row(self, connection: sqlite3.Connection, point: Point) -> tuple[_Shape, _Row]:
        key = (point.measurement, point.tags)
        series = self._series_ids.get(key) or self._series_id(connection, key)
        return (point.measurement, point.names), (series, point.time_ms, *point.values)

    def _series_id(self, connection: sqlite3.Connection, key: tuple[str, _Tags]) -> int:
        measurement, tags = key
        row = (measurement, json.dumps(dict(tags), ensure_ascii=False))
        connection.execute("INSERT OR IGNORE INTO _series (measurement, tags) VALUES (?, ?)", row)
        found = connection.execute("SELECT id FROM _series WHERE (measurement, tags) = (?, ?)", row)
        self._series_ids[key] = int(found.fetchone()[0])
        return self._series_ids[key]

    def _add_missing_columns(self, connection: sqlite3.Connection, shape: _Shape) -> None:
        table, fields = shape
        if self._columns.get(table, set()).issuperset(fields):
            return
        there = sqlite_statements.columns(connection, table)
        if not there:
            connection.execute(
                f'CREATE TABLE "{table}" (series INTEGER NOT NULL, time_ms INTEGER NOT NULL, '
                "PRIMARY KEY (series, time_ms)) WITHOUT ROWID"
            )
        for field in fields:
            if field not in there:
                kind = "TEXT" if field in TEXT_FIELDS else "REAL"
                connection.execute(f'ALTER TABLE "{table}" ADD COLUMN "{field}" {kind}')
        self._columns[table] = there.union(fields)


def _upsert(shape: _Shape) -> str:
    """Return the statement that writes rows. `rejection_reason` has checked the names."""
    table, fields = shape
    columns = ", ".join(f'"{field}"' for field in fields)
    marks = ", ".join("?" * (2 + len(fields)))
    updates = ", ".join(f'"{field}" = excluded."{field}"' for field in fields)
    return (
        f'INSERT INTO "{table}" (series, time_ms, {columns}) VALUES ({marks}) '  # noqa: S608 - plain words
        f"ON CONFLICT DO UPDATE SET {updates}"
    )


def _group_by_shape(rows: Sequence[tuple[_Shape, _Row]]) -> Iterable[tuple[_Shape, Iterable[_Row]]]:
    """Group rows by shape, keeping the order of two values of one field.

    If a series and time occur in two shapes, which is rare, only neighbouring rows of equal shape
    are grouped.
    """
    groups: dict[_Shape, list[_Row]] = {}
    for shape, row in rows:
        groups.setdefault(shape, []).append(row)
    if len(groups) > 1:
        keys = [set(map(itemgetter(0, 1), group)) for group in groups.values()]
        if sum(map(len, keys)) > len(set().union(*keys)):
            return _group_neighbours(rows)
    return groups.items()


def _group_neighbours(
    rows: Sequence[tuple[_Shape, _Row]],
) -> Iterator[tuple[_Shape, Iterable[_Row]]]:
    for shape, run in groupby(rows, itemgetter(0)):
        yield shape, map(itemgetter(1), run)
