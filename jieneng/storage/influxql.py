"""What is asked of an InfluxQL server, and what it answers. Pure: text and bytes in and out.

Law: no name or value is ever pasted into a query unquoted, and every query is bounded in time.

Answers are JSON, not CSV: InfluxDB's CSV leaves out the error of a statement, so that a missing
database or a query that was killed would read as "no data". The values are handed to numpy as the
bytes they came in; that is also the smaller form, as name and tags stand once a block.

Source: InfluxDB 1.8 documentation, "InfluxQL reference", sections "Strings" and "Identifiers".
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from jieneng.storage.base import Series
from jieneng.storage.point_rules import EARLIEST_MS, LATEST_MS

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

_IDENTIFIER: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_STRING: Final = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n"})
#: What separates numbers in a JSON array of arrays, as blanks.
_BLANKS: Final = bytes.maketrans(b"[],", b"   ")

_Tags: TypeAlias = tuple[tuple[str, str], ...]


class Block(msgspec.Struct):
    """A part of one series in an answer."""

    values: msgspec.Raw = msgspec.Raw(b"[]")
    tags: dict[str, str] = {}


class Result(msgspec.Struct):
    """The answer to one statement, or a part of it."""

    series: list[Block] = []
    error: str | None = None


class Answer(msgspec.Struct):
    """A line of a streamed answer."""

    results: list[Result] = []
    error: str | None = None
    message: str | None = None

    @property
    def whole_error(self) -> str | None:
        """What is wrong with the request (2.x: `message`) or with one of its statements."""
        of_statements = next((one.error for one in self.results if one.error), None)
        return self.error or self.message or of_statements


decode: Final = msgspec.json.Decoder(Answer).decode


def create_database(name: str) -> str:
    """Makes a database; one that is there stays as it is."""
    return f"CREATE DATABASE {_identifier(name)}"


def select(
    measurement: str, field: str, where: Mapping[str, str], start_ms: int, end_ms: int
) -> str:
    """One field, by series."""
    return (
        f"SELECT {_identifier(field)} FROM {_identifier(measurement)} "  # noqa: S608 - quoted
        f"WHERE {_condition(where, start_ms, end_ms)} GROUP BY *"
    )


def end_of(measurement: str, where: Mapping[str, str], direction: str) -> str:
    """The first (`ASC`) or last (`DESC`) point, whatever its fields are."""
    return (
        f"SELECT * FROM {_identifier(measurement)} "  # noqa: S608 - quoted
        f"WHERE {_condition(where, EARLIEST_MS, LATEST_MS)} ORDER BY time {direction} LIMIT 1"
    )


def delete(measurement: str, where: Mapping[str, str], start_ms: int, end_ms: int) -> str:
    """Removes points."""
    return f"DELETE FROM {_identifier(measurement)} WHERE {_condition(where, start_ms, end_ms)}"  # noqa: S608 - quoted


def joined(blocks: Sequence[Block]) -> list[Series]:
    """The series of an answer to `select`."""
    import numpy as np

    parts: dict[_Tags, list[NDArray[float64]]] = {}
    for block in blocks:
        # A tag that only other series of the measurement have stands here as an empty one.
        tags = tuple(sorted((name, value) for name, value in block.tags.items() if value))
        numbers = np.fromstring(bytes(block.values).translate(_BLANKS), sep=" ")
        parts.setdefault(tags, []).append(numbers.reshape(-1, 2))
    series = []
    for tags, arrays in parts.items():
        rows = np.concatenate(arrays)
        # Milliseconds stay far below 2**53, up to where float64 holds every integer.
        series.append(Series(dict(tags), rows[:, 0].astype(np.int64), rows[:, 1].copy()))
    return series


def time_of(blocks: Sequence[Block]) -> int:
    """The time of an answer's only row [ms]."""
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
