"""Run the embedded store's statements on an open connection.

Laws:

1. A name is used in a statement only if a table or column with this name exists.
2. A series is in the table `_series` only if the table of its measurement exists. Both are created
   in one transaction, and never removed.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import repeat
from typing import TypeAlias

from jieneng.metering.schema import TEXT_FIELDS
from jieneng.storage.embedded.sqlite_series import SqliteSeries
from jieneng.storage.point_rules import EARLIEST_MS, LATEST_MS
from jieneng.storage.store import Series, SeriesColumns, SeriesSpan, TextSeries, Where

#: Measurement and fields of a row. Rows of one shape are written by one statement.
Shape: TypeAlias = tuple[str, tuple[str, ...]]
#: Parameters of the statement of a shape: series, time and values.
Row: TypeAlias = tuple[object, ...]


def read_columns(
    connection: sqlite3.Connection,
    known: SqliteSeries,
    table: str,
    fields: Sequence[str],
    where: Where,
    start_ms: int,
    end_ms: int,
) -> list[SeriesColumns]:
    """Return series as `Store.read_columns` does."""
    import numpy as np

    there = columns(connection, table)
    stored = [field for field in dict.fromkeys(fields) if field in there]
    if not stored:
        return []
    statement = _select(table, stored)
    row = np.dtype([("time_ms", np.int64), *((field, np.float64) for field in stored)])
    found = []
    with transaction(connection, "DEFERRED"):  # all series from one snapshot
        for number, tags in known.matching(connection, table, where):
            cursor = connection.execute(statement, (number, *_clamp_times(start_ms, end_ms)))
            rows = np.fromiter(cursor, dtype=row)  # NULL becomes NaN
            if len(rows):
                by_field = {
                    field: rows[field].copy() if field in there else np.full(len(rows), np.nan)
                    for field in fields
                }
                found.append(SeriesColumns(tags, rows["time_ms"].copy(), by_field))
    return found


def read_text(
    connection: sqlite3.Connection,
    known: SqliteSeries,
    table: str,
    field: str,
    where: Where,
    start_ms: int,
    end_ms: int,
) -> list[TextSeries]:
    """Return series as `Store.read_text` does."""
    if field not in columns(connection, table):
        return []
    statement, times = _select(table, [field]), _clamp_times(start_ms, end_ms)
    with transaction(connection, "DEFERRED"):
        found = [
            TextSeries(tags, dict(connection.execute(statement, (number, *times)).fetchall()))
            for number, tags in known.matching(connection, table, where)
        ]
    return [series for series in found if series.values]


def _select(table: str, fields: Sequence[str]) -> str:
    """Return the statement that selects fields of a series; table and columns must exist."""
    names = [f'"{field}"' for field in fields]
    is_there = " OR ".join(f"{name} IS NOT NULL" for name in names)
    return (
        f'SELECT time_ms, {", ".join(names)} FROM "{table}" WHERE series = ? '  # noqa: S608 - columns that are there
        f"AND time_ms >= ? AND time_ms < ? AND ({is_there}) ORDER BY time_ms"
    )


def count(
    connection: sqlite3.Connection,
    known: SqliteSeries,
    table: str,
    field: str,
    where: Where,
    times: tuple[int, int, int],
) -> list[Series]:
    """Return counts as `Store.count` does; `times` are start, end and length of an interval."""
    import numpy as np

    if field not in columns(connection, table):
        return []
    start_ms, end_ms, step_ms = times
    statement = (
        f'SELECT (time_ms - ?) / ? AS number, COUNT(*) FROM "{table}" WHERE series = ? '  # noqa: S608 - a column that is there
        f'AND time_ms >= ? AND time_ms < ? AND "{field}" IS NOT NULL GROUP BY number ORDER BY 1'
    )
    found = []
    with transaction(connection, "DEFERRED"):
        for series, tags in known.matching(connection, table, where):
            clamped = _clamp_times(start_ms, end_ms)
            rows = connection.execute(statement, (start_ms, step_ms, series, *clamped)).fetchall()
            if rows:
                numbers, counts = np.array(rows, dtype=np.int64).T
                found.append(Series(tags, start_ms + numbers * step_ms, counts.astype(float)))
    return found


def spans(
    connection: sqlite3.Connection,
    known: SqliteSeries,
    table: str,
    where: Where,
    field: str | None,
) -> list[SeriesSpan]:
    """Return first and last times as `Store.spans` does."""
    if field is not None and field not in columns(connection, table):
        return []
    # Two subqueries, because SQLite uses the primary key for min or max, but not for both at once.
    points = f'SELECT time_ms FROM "{table}" WHERE series = :id'  # noqa: S608 - a table that is there
    if field is not None:
        points += f' AND "{field}" IS NOT NULL'
    ends = f"SELECT ({points} ORDER BY time_ms LIMIT 1), ({points} ORDER BY time_ms DESC LIMIT 1)"
    found = []
    with transaction(connection, "DEFERRED"):
        for number, tags in known.matching(connection, table, where):
            first, last = connection.execute(ends, {"id": number}).fetchone()
            if first is not None:
                found.append(SeriesSpan(tags, first, last))
    return found


def delete(
    connection: sqlite3.Connection,
    known: SqliteSeries,
    table: str,
    where: Mapping[str, str],
    start_ms: int,
    end_ms: int,
) -> None:
    """Delete points as `Store.delete` does."""
    statement = f'DELETE FROM "{table}" WHERE series = ? AND time_ms >= ? AND time_ms < ?'  # noqa: S608 - a table that is there
    with transaction(connection, "IMMEDIATE"):
        for number, _ in known.matching(connection, table, where):
            connection.execute(statement, (number, *_clamp_times(start_ms, end_ms)))


def upsert(connection: sqlite3.Connection, shape: Shape, rows: Iterable[Row]) -> None:
    """Write rows of one shape, in a transaction. `point_rules` must have checked the names."""
    table, fields = shape
    names = ", ".join(f'"{field}"' for field in fields)
    marks = ", ".join("?" * (2 + len(fields)))
    updates = ", ".join(f'"{field}" = excluded."{field}"' for field in fields)
    statement = (
        f'INSERT INTO "{table}" (series, time_ms, {names}) VALUES ({marks}) '  # noqa: S608 - plain words
        f"ON CONFLICT DO UPDATE SET {updates}"
    )
    connection.executemany(statement, rows)


def rows_of(number: int, series: SeriesColumns) -> Iterable[Row]:
    """Return the rows of a series without NaN."""
    values = (column.tolist() for column in series.columns.values())
    return zip(repeat(number), series.times_ms.tolist(), *values, strict=False)


def add_columns(connection: sqlite3.Connection, shape: Shape) -> set[str]:
    """Add the table and the columns of a shape that do not exist; return the table's fields."""
    table, fields = shape
    there = columns(connection, table)
    if not there:
        connection.execute(
            f'CREATE TABLE "{table}" (series INTEGER NOT NULL, time_ms INTEGER NOT NULL, '
            "PRIMARY KEY (series, time_ms)) WITHOUT ROWID"
        )
    for field in fields:
        if field not in there:
            kind = "TEXT" if field in TEXT_FIELDS else "REAL"
            connection.execute(f'ALTER TABLE "{table}" ADD COLUMN "{field}" {kind}')
    return there.union(fields)


def columns(connection: sqlite3.Connection, table: str) -> set[str]:
    """Return the fields of a measurement; none if the measurement was never written."""
    rows = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
    return {name for (name,) in rows} - {"series", "time_ms"}


def _clamp_times(start_ms: int, end_ms: int) -> tuple[int, int]:
    """Limit times to those that a point can have, so that they fit into SQLite's integers."""
    return max(start_ms, EARLIEST_MS), min(end_ms, LATEST_MS)


@contextmanager
def transaction(connection: sqlite3.Connection, kind: str) -> Iterator[None]:
    """Commit at the end; after an error roll back, unless SQLite has already done so."""
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
