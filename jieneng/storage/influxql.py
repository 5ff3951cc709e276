"""Build InfluxQL statements and decode the server's answers. Pure: text and bytes in and out.

Laws: every name and value in a query is quoted, and every query is bounded in time.

Responses are JSON, not CSV. InfluxDB's CSV omits the error of a statement, so a missing database or
a killed query would read as "no data". JSON is also smaller, because name and tags appear once per
block. numpy parses the values from the received bytes.

Source: InfluxDB 1.8 documentation, "InfluxQL reference", sections "Strings" and "Identifiers".
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from jieneng.storage.point_rules import EARLIEST_MS, LATEST_MS
from jieneng.storage.store import Series

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

_IDENTIFIER: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_STRING: Final = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n"})
#: Replaces the separators of a JSON array of arrays by blanks.
_SEPARATORS_TO_BLANKS: Final = bytes.maketrans(b"[],", b"   ")

_Tags: TypeAlias = tuple[tuple[str, str], ...]


class SeriesBlock(msgspec.Struct):
    """Part of a series in a response."""

    values: msgspec.Raw = msgspec.Raw(b"[]")
    tags: dict[str, str] = {}


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
        """First error of the request (`message` in 2.x) or of its statements; None without one."""
        statement_error = next((result.error for result in self.results if result.error), None)
        return self.error or self.message or statement_error


decode: Final = msgspec.json.Decoder(ResponseChunk).decode


def create_database(name: str) -> str:
    """Return the statement that creates a database if it does not exist."""
    return f"CREATE DATABASE {_identifier(name)}"


def select(
    measurement: str, field: str, where: Mapping[str, str], start_ms: int, end_ms: int
) -> str:
    """Return the statement that selects a field, grouped by series."""
    return (
        f"SELECT {_identifier(field)} FROM {_identifier(measurement)} "  # noqa: S608 - quoted
        f"WHERE {_condition(where, start_ms, end_ms)} GROUP BY *"
    )


def first_point(measurement: str, where: Mapping[str, str], order: str) -> str:
    """Return the statement that selects the first point in the order `ASC` or `DESC` of time."""
    return (
        f"SELECT * FROM {_identifier(measurement)} "  # noqa: S608 - quoted
        f"WHERE {_condition(where, EARLIEST_MS, LATEST_MS)} ORDER BY time {order} LIMIT 1"
    )


def delete(measurement: str, where: Mapping[str, str], start_ms: int, end_ms: int) -> str:
    """Return the statement that deletes points."""
    return f"DELETE FROM {_identifier(measurement)} WHERE {_condition(where, start_ms, end_ms)}"  # noqa: S608 - quoted


def join_blocks(blocks: Sequence[SeriesBlock]) -> list[Series]:
    """Join the blocks of a response to `select` into series."""
    import numpy as np

    parts: dict[_Tags, list[NDArray[float64]]] = {}
    for block in blocks:
        # A tag that only other series of the measurement have is empty here.
        tags = tuple(sorted((name, value) for name, value in block.tags.items() if value))
        numbers = np.fromstring(bytes(block.values).translate(_SEPARATORS_TO_BLANKS), sep=" ")
        parts.setdefault(tags, []).append(numbers.reshape(-1, 2))
    series = []
    for tags, arrays in parts.items():
        rows = np.concatenate(arrays)
        # Milliseconds are far below 2**53, the limit up to which float64 is exact.
        series.append(Series(dict(tags), rows[:, 0].astype(np.int64), rows[:, 1].copy()))
    return series


def first_time_ms(blocks: Sequence[SeriesBlock]) -> int:
    """Return the time of the only row of a response [UTC, ms]."""
    ((first, *_),) = msgspec.json.decode(blocks[0].values, type=list[list[msgspec.Raw]])
    return int(bytes(first))


def _condition(where: Mapping[str, str], start_ms: int, end_ms: int) -> str:
    terms = [f"{_identifier(name)} = {_string(value)}" for name, value in where.items()]
    terms.append(f"time >= {max(start_ms, EARLIEST_MS)}ms")
    terms.append(f"time < {min(end_ms, LATEST_MS)}ms")
    return " AND ".join(terms)


def _identifier(name: str) -> str:
    return f'"{name.translate(_IDENTIFIER)}"'


def _string(value: str) -> str:
    return f"'{value.translate(_STRING)}'"
