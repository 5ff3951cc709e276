"""Values of one quantity of a meter at several times, in columns. Pure.

Law: NaN means that a point does not have the field. A companion field (`quality`, `interval_s`)
describes the other fields of its point, and is useless without them.
"""

import zlib
from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from math import isnan, nan
from typing import Final

import msgspec

from jieneng.metering.schema import INTERVAL_S, QUALITY, Point

#: Fields that describe the other fields of their point.
COMPANIONS: Final = frozenset({QUALITY, INTERVAL_S})

#: zlib's fastest level. For readings, the best compression saves only a tenth more.
_LEVEL: Final = 1


class PointColumns(msgspec.Struct, frozen=True):
    """Values of some fields of a series at some times.

    Attributes:
        measurement: measurement of the points.
        meter: id of the meter.
        fields: names of the fields: the quantity, then others.
        times_ms: time of each point [UTC, ms], strictly ascending.
        columns: a column of values for each field; NaN if a point does not have the field.
    """

    measurement: str
    meter: str
    fields: tuple[str, ...]
    times_ms: "array[int]"
    columns: tuple["array[float]", ...]

    def __len__(self) -> int:
        return len(self.times_ms)

    @property
    def quantity(self) -> str:
        """Name of the first field."""
        return self.fields[0]

    @property
    def is_interval(self) -> bool:
        """Return True if each point is an interval, whose length is the last field."""
        return self.fields[-1] == INTERVAL_S

    def with_columns(self, columns: Sequence["array[float]"]) -> "PointColumns":
        """Return a copy with the same times and other values."""
        return msgspec.structs.replace(self, columns=tuple(columns))

    def select(self, places: Sequence[int]) -> "PointColumns":
        """Return the points with the given indexes."""
        return msgspec.structs.replace(
            self,
            times_ms=array("q", map(self.times_ms.__getitem__, places)),
            columns=tuple(array("d", map(one.__getitem__, places)) for one in self.columns),
        )

    def parts(self, size: int) -> Iterator["PointColumns"]:
        """Yield the points in portions of at most `size`."""
        for start in range(0, len(self), size):
            yield msgspec.structs.replace(
                self,
                times_ms=self.times_ms[start : start + size],
                columns=tuple(one[start : start + size] for one in self.columns),
            )

    def without_values(self) -> "PointColumns":
        """Return a copy with the same times, in which all values are NaN."""
        return self.with_columns([array("d", [nan]) * len(self) for _ in self.fields])

    def points(self, site: str) -> Iterator[Point]:
        """Yield the points that have a value of the quantity, each with its known fields."""
        tags = (("meter", self.meter), ("site", site))
        for time_ms, *values in zip(self.times_ms, *self.columns, strict=True):
            if isnan(values[0]):
                continue
            if isnan(sum(values)):
                known = [
                    pair for pair in zip(self.fields, values, strict=True) if pair[1] == pair[1]
                ]
                yield Point.of(self.measurement, tags, known, time_ms)
            else:
                yield Point(self.measurement, tags, self.fields, tuple(values), time_ms)


def pack(written: PointColumns, previous: PointColumns) -> bytes:
    """Return the written and the previous values, compressed."""
    steps = array("q", [later - earlier for earlier, later in pairwise((0, *written.times_ms))])
    columns = b"".join(column.tobytes() for column in (*written.columns, *previous.columns))
    return zlib.compress(steps.tobytes() + columns, _LEVEL)


def unpack(
    data: bytes, measurement: str, meter: str, fields: tuple[str, ...]
) -> tuple[PointColumns, PointColumns]:
    """Return (written values, previous values) from the result of `pack`."""
    content = zlib.decompress(data)
    size = len(content) // (1 + 2 * len(fields))
    parts = [content[start : start + size] for start in range(0, len(content), size)]
    times_ms = array("q", accumulate(array("q", parts[0])))
    columns = [array("d", part) for part in parts[1:]]
    written, previous = columns[: len(fields)], columns[len(fields) :]
    return (
        PointColumns(measurement, meter, fields, times_ms, tuple(written)),
        PointColumns(measurement, meter, fields, times_ms, tuple(previous)),
    )
