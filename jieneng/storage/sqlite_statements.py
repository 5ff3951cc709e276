"""Run the embedded store's statements on an open connection.

Laws:

1. A name is used in a statement only if a table or column with this name exists.
2. A series is in the table `_series` only if the table of its measurement exists. Both are created
   in one transaction, and never removed.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache

from jieneng.storage.point_rules import EARLIEST_MS, LATEST_MS
from jieneng.storage.store import Series, TextSeries


def read(
    connection: sqlite3.Connection,
    table: str,
    field: str,
    where: Mapping[str, str],
    start_ms: int,
    end_ms: int,
) -> list[Series]:
    """Return series as `Store.read` does."""
    import numpy as np

    if field not in columns(connection, table):
        return []
    statement = _select(table, field)
    found = []
    with transaction(connection, "DEFERRED"):  # all series from one snapshot
        for series, tags in _matching_series(connection, table, where):
            cursor = connection.execute(statement, (series, *_clamp_times(start_ms, end_ms)))
            rows = np.fromiter(cursor, dtype=[("time_ms", np.int64), ("value", np.float64)])
            if len(rows):
                found.append(Series(tags, rows["time_ms"].copy(), rows["value"].copy()))
    return found


def read_text(
    connection: sqlite3.Connection,
    table: str,
    field: str,
    where: Mapping[str, str],
    start_ms: int,
    end_ms: int,
) -> list[TextSeries]:
    """Return series as `Store.read_text` does."""
    if field not in columns(connection, table):
        return []
    statement, times = _select(table, field), _clamp_times(start_ms, end_ms)
    with transaction(connection, "DEFERRED"):
        found = [
            TextSeries(tags, dict(connection.execute(statement, (series, *times)).fetchall()))
            for series, tags in _matching_series(connection, table, where)
        ]
    return [series for series in found if series.values]


def _select(table: str, field: str) -> str:
    """Return the statement that selects a field of a series; table and column must exist."""
    return (
        f'SELECT time_ms, "{field}" FROM "{table}" WHERE series = ? AND time_ms >= ? '  # noqa: S608 - a column that is there
        f'AND time_ms < ? AND "{field}" IS NOT NULL ORDER BY time_ms'
    )


def count(
    connection: sqlite3.Connection,
    table: str,
    field: str,
    where: Mapping[str, str],
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
        for series, tags in _matching_series(connection, table, where):
            clamped = _clamp_times(start_ms, end_ms)
            rows = connection.execute(statement, (start_ms, step_ms, series, *clamped)).fetchall()
            if rows:
                numbers, counts = np.array(rows, dtype=np.int64).T
                found.append(Series(tags, start_ms + numbers * step_ms, counts.astype(float)))
    return found


def span(
    connection: sqlite3.Connection, table: str, where: Mapping[str, str], field: str | None
) -> tuple[int, int] | None:
    """Return the first and last time as `Store.span` does."""
    if field is not None and field not in columns(connection, table):
        return None
    # Two subqueries, because SQLite uses the primary key for min or max, but not for both at once.
    points = f'SELECT time_ms FROM "{table}" WHERE series = :id'  # noqa: S608 - a table that is there
    if field is not None:
        points += f' AND "{field}" IS NOT NULL'
    ends = [
        connection.execute(
            f"SELECT ({points} ORDER BY time_ms LIMIT 1), ({points} ORDER BY time_ms DESC LIMIT 1)",
            {"id": series},
        ).fetchone()
        for series, _ in _matching_series(connection, table, where)
    ]
    known = [(first, last) for first, last in ends if first is not None]
    return (min(f for f, _ in known), max(last for _, last in known)) if known else None


def delete(
    connection: sqlite3.Connection,
    table: str,
    where: Mapping[str, str],
    start_ms: int,
    end_ms: int,
) -> None:
    """Delete points as `Store.delete` does."""
    statement = f'DELETE FROM "{table}" WHERE series = ? AND time_ms >= ? AND time_ms < ?'  # noqa: S608 - a table that is there
    with transaction(connection, "IMMEDIATE"):
        for series, _ in _matching_series(connection, table, where):
            connection.execute(statement, (series, *_clamp_times(start_ms, end_ms)))


def _matching_series(
    connection: sqlite3.Connection, measurement: str, where: Mapping[str, str]
) -> list[tuple[int, dict[str, str]]]:
    """Return id and tags of the series that have the given tags."""
    rows = connection.execute(
        "SELECT id, tags FROM _series WHERE measurement = ? ORDER BY id", (measurement,)
    )
    wanted = where.items()
    return [
        (series, dict(tags)) for series, text in rows if wanted <= (tags := _tags(text)).items()
    ]


@lru_cache(maxsize=16384)  # each read asks for the tags of all series of a measurement
def _tags(text: str) -> Mapping[str, str]:
    """Return tags that are stored as JSON."""
    tags: dict[str, str] = json.loads(text)
    return tags


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
