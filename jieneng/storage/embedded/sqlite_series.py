"""Number the series of the embedded store in its table `_series`, with their tags as JSON.

Laws:

1. Series are never removed from the file, and get ascending numbers. So known series are kept in
   memory, and only newer ones are read.
2. A number is kept in memory before its transaction ends. After a failed transaction everything is
   forgotten.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable
from itertools import chain
from typing import Final, TypeAlias

import msgspec

from jieneng.storage.store import Where, has_tags

Tags: TypeAlias = tuple[tuple[str, str], ...]

TABLE: Final = """
    CREATE TABLE IF NOT EXISTS _series (
        id INTEGER PRIMARY KEY, measurement TEXT NOT NULL, tags TEXT NOT NULL,
        UNIQUE (measurement, tags)
    )"""


class _Measurement(msgspec.Struct):
    """The known series of a measurement.

    Attributes:
        newest: the highest number.
        tags: tags by number, ascending.
        having: numbers by tag, ascending.
    """

    newest: int = 0
    tags: dict[int, dict[str, str]] = {}
    having: dict[tuple[str, str], list[int]] = {}

    def add(self, number: int, tags: dict[str, str]) -> None:
        """Add a series."""
        self.newest = number
        self.tags[number] = tags
        for tag in tags.items():
            self.having.setdefault(tag, []).append(number)

    def candidates(self, where: Where) -> Iterable[int]:
        """Return the numbers of the series that have the rarest wanted tag, ascending."""
        found: Collection[int] = self.tags
        for name, wanted in where.items():
            values = (wanted,) if isinstance(wanted, str) else wanted
            having = [self.having.get((name, value), []) for value in values]
            if sum(map(len, having)) < len(found):
                found = sorted(set(chain(*having)))
        return found


class SqliteSeries:
    """The series of a file."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, Tags], int] = {}
        self._measurements: dict[str, _Measurement] = {}

    def forget(self) -> None:
        """Forget all series."""
        self._numbers.clear()
        self._measurements.clear()

    def number(self, connection: sqlite3.Connection, measurement: str, tags: Tags) -> int:
        """Return the number of a series, which is added if it does not exist."""
        known = self._numbers.get((measurement, tags))
        return self._add(connection, measurement, tags) if known is None else known

    def _add(self, connection: sqlite3.Connection, measurement: str, tags: Tags) -> int:
        row = (measurement, json.dumps(dict(tags), ensure_ascii=False))
        connection.execute("INSERT OR IGNORE INTO _series (measurement, tags) VALUES (?, ?)", row)
        found = connection.execute("SELECT id FROM _series WHERE (measurement, tags) = (?, ?)", row)
        number = self._numbers[measurement, tags] = int(found.fetchone()[0])
        return number

    def matching(
        self, connection: sqlite3.Connection, measurement: str, where: Where
    ) -> list[tuple[int, dict[str, str]]]:
        """Return number and tags of the series of a measurement that have the wanted tags."""
        known = self._measurements.setdefault(measurement, _Measurement())
        # With +, SQLite looks up the newer numbers, instead of all series of the measurement.
        newer = connection.execute(
            "SELECT id, tags FROM _series WHERE id > ? AND +measurement = ? ORDER BY id",
            (known.newest, measurement),
        )
        for number, text in newer:
            known.add(number, json.loads(text))
        return [
            (number, dict(tags))
            for number in known.candidates(where)
            if has_tags(tags := known.tags[number], where)
        ]
