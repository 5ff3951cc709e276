"""Build InfluxQL statements and decode the server's answers. Pure: text and bytes in and out.

Laws: every name and value in a statement is quoted. Every query of points is bounded in time. All
servers support the statements, except those of `create_database` and `delete`.

Responses are requested as JSON. InfluxDB's CSV omits errors of statements, so a missing database or
a killed query would look like "no data". JSON is also smaller, because name and tags occur only
once in a block. numpy parses the values directly from the received bytes.

Source: InfluxDB 1.8 documentation, "InfluxQL reference", sections "Strings" and "Identifiers".
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from jieneng.storage.point_rules import EARLIEST_MS, LATEST_MS
from jieneng.storage.retention import shard_s
from jieneng.storage.store import SeriesColumns, SeriesSpan, TextSeries, Where

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

_IDENTIFIER: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_STRING: Final = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n"})
#: Replaces the separators of a JSON array of arrays by blanks.
_SEPARATORS_TO_BLANKS: Final = bytes.maketrans(b"[],", b"   ")

#: Part of a duration such as `168h0m0s`.
_DURATION_PART: Final = re.compile(r"([\d.]+)(h|m|s)")
_UNIT_S: Final = {"h": 3600.0, "m": 60.0, "s": 1.0}

_Tags: TypeAlias = tuple[tuple[str, str], ...]


class SeriesBlock(msgspec.Struct):
    """Part of a series in a response."""

    values: msgspec.Raw = msgspec.Raw(b"[]")
    tags: dict[str, str] = {}
    columns: list[str] = []


class StatementResult(msgspec.Struct):
    """Result of a statement, or part of it."""

    series: list[SeriesBlock] = []
    error: str | None = None


class ResponseChunk(msgspec.Struct):
    """Line of a chunked response."""

    results: list[StatementResult] = []
    error: str | None = None
    message: str | None = None

    @property
    def first_error(self) -> str | None:
        """First error of the request (`message` in 2.x) or of its statements; None if no error."""
        statement_error = next((result.error for result in self.results if result.error), None)
        return self.error or self.message or statement_error


decode: Final = msgspec.json.Decoder(ResponseChunk).decode


#: Words of InfluxDB's answer if a database exists with shards of another length.
POLICY_CONFLICT: Final = "conflicts with an existing policy"


def create_database(name: str) -> str:
    """Return the statement that creates a database if it does not exist.

    A server that has the database with shards of another length answers `POLICY_CONFLICT`.
    """
    return f"CREATE DATABASE {identifier(name)} WITH SHARD DURATION {shard_s(0)}s"


def show_retention(database: str) -> str:
    """Return the statement that lists the retention policies of a database."""
    return f"SHOW RETENTION POLICIES ON {identifier(database)}"


def select(
    measurement: str, fields: Sequence[str], where: Where, start_ms: int, end_ms: int
) -> str:
    """Return the statement that selects fields, grouped by series."""
    selected = ", ".join(map(identifier, fields))
    return (
        f"SELECT {selected} FROM {identifier(measurement)} "  # noqa: S608 - quoted
        f"WHERE {_condition(where, start_ms, end_ms)} GROUP BY *"
    )


def count(
    measurement: str,
    field: str,
    where: Where,
    start_ms: int,
    end_ms: int,
    step_ms: int,
) -> str:
    """Return the statement that counts the points of a field in intervals, grouped by series."""
    interval = f"time({step_ms}ms, {start_ms % step_ms}ms)"
    return (
        f"SELECT count({identifier(field)}) FROM {identifier(measurement)} "  # noqa: S608 - quoted
        f"WHERE {_condition(where, start_ms, end_ms)} GROUP BY *, {interval} fill(none)"
    )


def first_point(measurement: str, where: Where, order: str, field: str | None = None) -> str:
    """Return the statement that selects the first point in the order `ASC` or `DESC` of time."""
    return _first(measurement, where, field) + f" ORDER BY time {order} LIMIT 1"


def first_points(measurement: str, where: Where, order: str, field: str | None = None) -> str:
    """Return the statement that selects the first point of each series, like `first_point`."""
    return _first(measurement, where, field) + f" GROUP BY * ORDER BY time {order} LIMIT 1"


def _first(measurement: str, where: Where, field: str | None) -> str:
    selected = "*" if field is None else identifier(field)
    return (
        f"SELECT {selected} FROM {identifier(measurement)} "  # noqa: S608 - quoted
        f"WHERE {_condition(where, EARLIEST_MS, LATEST_MS)}"
    )


def delete(measurement: str, where: Mapping[str, str], start_ms: int, end_ms: int) -> str:
    """Return the statement that deletes points."""
    return f"DELETE FROM {identifier(measurement)} WHERE {_condition(where, start_ms, end_ms)}"  # noqa: S608 - quoted


def join_blocks(blocks: Sequence[SeriesBlock], fields: Sequence[str]) -> list[SeriesColumns]:
    """Join the blocks of a response to `select` of fields into series."""
    import numpy as np

    parts: dict[_Tags, list[NDArray[float64]]] = {}
    for block in blocks:
        text = bytes(block.values).translate(_SEPARATORS_TO_BLANKS).replace(b"null", b"nan")
        numbers = np.fromstring(text, sep=" ")
        parts.setdefault(_tags(block), []).append(numbers.reshape(-1, 1 + len(fields)))
    series = []
    for tags, arrays in parts.items():
        times, *columns = np.concatenate(arrays).T.copy()
        # Milliseconds are far below 2**53, up to which float64 is exact.
        by_field = dict(zip(fields, columns, strict=True))
        series.append(SeriesColumns(dict(tags), times.astype(np.int64), by_field))
    return series


def join_spans(first: Sequence[SeriesBlock], last: Sequence[SeriesBlock]) -> list[SeriesSpan]:
    """Join the responses to `first_points`, in both orders of time, into the spans of series."""
    ends = {_tags(block): first_time_ms([block]) for block in last}
    return [
        SeriesSpan(dict(tags), first_time_ms([block]), ends[tags])
        for block in first
        if (tags := _tags(block)) in ends
    ]


def join_text_blocks(blocks: Sequence[SeriesBlock]) -> list[TextSeries]:
    """Join the blocks of a response to `select` of a text field into series."""
    parts: dict[_Tags, dict[int, str]] = {}
    for block in blocks:
        rows = msgspec.json.decode(block.values, type=list[tuple[int, str]])
        parts.setdefault(_tags(block), {}).update(rows)
    return [TextSeries(dict(tags), values) for tags, values in parts.items()]


def _tags(block: SeriesBlock) -> _Tags:
    """Return the tags of a block, without empty ones, which only other series have."""
    return tuple(sorted((name, value) for name, value in block.tags.items() if value))


def first_time_ms(blocks: Sequence[SeriesBlock]) -> int:
    """Return the time of the only row of a response [UTC, ms]."""
    ((first, *_),) = msgspec.json.decode(blocks[0].values, type=list[list[msgspec.Raw]])
    return int(bytes(first))


def rows(blocks: Sequence[SeriesBlock]) -> list[dict[str, object]]:
    """Return the rows of an answer to `SHOW`, by the names of their columns."""
    return [
        dict(zip(block.columns, row, strict=True))
        for block in blocks
        for row in msgspec.json.decode(block.values, type=list[list[object]])
    ]


def retention_s(blocks: Sequence[SeriesBlock]) -> float | None:
    """Return the retention of the default policy in an answer to `show_retention` [s].

    Returns:
        None if points are kept forever, or if there is no policy.
    """
    default = next((row for row in rows(blocks) if row.get("default")), {})
    parts = _DURATION_PART.findall(str(default.get("duration", "")))
    return sum(float(number) * _UNIT_S[unit] for number, unit in parts) or None


def _condition(where: Where, start_ms: int, end_ms: int) -> str:
    terms = [_has_value(name, wanted) for name, wanted in where.items()]
    terms.append(f"time >= {max(start_ms, EARLIEST_MS)}ms")
    terms.append(f"time < {min(end_ms, LATEST_MS)}ms")
    return " AND ".join(terms)


def _has_value(name: str, wanted: str | tuple[str, ...]) -> str:
    if isinstance(wanted, str):
        return f"{identifier(name)} = {quoted(wanted)}"
    return "(" + " OR ".join(f"{identifier(name)} = {quoted(value)}" for value in wanted) + ")"


def identifier(name: str) -> str:
    """Return a name as InfluxQL quotes it."""
    return f'"{name.translate(_IDENTIFIER)}"'


def quoted(value: str) -> str:
    """Return a string as InfluxQL quotes it."""
    return f"'{value.translate(_STRING)}'"
