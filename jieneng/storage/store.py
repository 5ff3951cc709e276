"""Define the interface of a store and its laws. A contract test checks every store.

Laws of a store:

1. Meter, quantity and time identify a point. Writing a point again, alone or with others, in any
   order, has the same result as writing it once. A later value of a field replaces the earlier one.
2. Points that `write` has reported as written survive a crash of the process and, if the server
   guarantees it, of the machine.
3. A point that the store rejects is returned with the reason, and does not affect other points. If
   the server refuses points with an unknown error, they do not count as rejected; they are returned
   as `unclear`.
4. Any other failure to write raises `StoreUnavailable`. The whole call can then be repeated,
   because of law 1.
5. `read` returns the written values as float64, in ascending order of time. Gaps are not filled.
   `read_columns` does the same for several fields, and `read_text` for a text field.
6. Reads are bounded in time.
7. One call reads any number of series. A call for many series is much faster than a call for each.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import msgspec

from jieneng.metering.schema import Point

if TYPE_CHECKING:  # the ingest writes and never reads: it starts without numpy
    from numpy import float64, int64
    from numpy.typing import NDArray


#: Codes of points that were not stored for an unknown reason.
UNCLEAR: Final = "unclear"
UNTRIED: Final = "untried"
#: Code of a point that `point_rules` rejects, before any server sees it.
INVALID: Final = "invalid"

#: Tags that a series must have: the value of each, or several values of which one is enough. Other
#: tags may have any value.
Where: TypeAlias = Mapping[str, str | tuple[str, ...]]


class RejectedPoint(msgspec.Struct, frozen=True):
    """A point that is not stored, and the reason.

    Attributes:
        index: index of the point in the sequence passed to `write`.
        point: the point.
        code: short name of the reason. For rejected points: `invalid`, or one of
            `write_answers.REFUSAL_WORDS`. For unclear points: `unclear` (refused alone, although
            the server accepted another point), or `untried` (refused only together with others).
        reason: error message of the server, short enough for a log.
    """

    index: int
    point: Point
    code: str
    reason: str


class WriteResult(msgspec.Struct, frozen=True):
    """The result of one `write`: every point of the call is counted or listed exactly once.

    Attributes:
        written: number of stored points.
        rejected: points that the store will never accept, by ascending index.
        unclear: points that were not stored for an unknown reason, by ascending index. The store
            may accept them later, so they should be written again, together with others.
    """

    written: int
    rejected: tuple[RejectedPoint, ...] = ()
    unclear: tuple[RejectedPoint, ...] = ()

    @property
    def not_stored(self) -> tuple[RejectedPoint, ...]:
        """All points that are not stored."""
        return self.rejected + self.unclear


def write_result(count: int, not_stored: Iterable[RejectedPoint]) -> WriteResult:
    """Return the result of writing `count` points, of which `not_stored` were not stored."""
    by_index = sorted(not_stored, key=lambda one: one.index)
    return WriteResult(
        written=count - len(by_index),
        rejected=tuple([one for one in by_index if one.code not in (UNCLEAR, UNTRIED)]),
        unclear=tuple([one for one in by_index if one.code in (UNCLEAR, UNTRIED)]),
    )


class Series(msgspec.Struct, frozen=True):
    """The values of one field of a series.

    Attributes:
        tags: all tags of the series, by name.
        times_ms: shape (n,), int64, UTC milliseconds, strictly ascending.
        values: shape (n,), float64, in the field's unit.
    """

    tags: Mapping[str, str]
    times_ms: "NDArray[int64]"
    values: "NDArray[float64]"


class TextSeries(msgspec.Struct, frozen=True):
    """The values of one text field of a series.

    Attributes:
        tags: all tags of the series, by name.
        values: texts by time [UTC, ms], by ascending time.
    """

    tags: Mapping[str, str]
    values: Mapping[int, str]


class SeriesColumns(msgspec.Struct, frozen=True):
    """The values of several float fields of a series.

    Attributes:
        tags: all tags of the series, by name.
        times_ms: shape (n,), int64, UTC milliseconds, strictly ascending.
        columns: arrays of shape (n,), float64, by field; NaN if a point does not have the field.
    """

    tags: Mapping[str, str]
    times_ms: "NDArray[int64]"
    columns: "Mapping[str, NDArray[float64]]"

    def points(self, measurement: str) -> Iterator[Point]:
        """Yield the points; their fields are those that are not NaN."""
        tags, names = tuple(sorted(self.tags.items())), tuple(self.columns)
        rows = zip(*(column.tolist() for column in self.columns.values()), strict=True)
        for time_ms, values in zip(self.times_ms.tolist(), rows, strict=True):
            known = [(name, v) for name, v in zip(names, values, strict=True) if not math.isnan(v)]
            yield Point.of(measurement, tags, known, time_ms)


class SeriesSpan(msgspec.Struct, frozen=True):
    """Times of the first and the last point of a series [UTC, ms].

    Attributes:
        tags: all tags of the series, by name.
        first_ms: time of the first point.
        last_ms: time of the last point.
    """

    tags: Mapping[str, str]
    first_ms: int
    last_ms: int


def has_tags(tags: Mapping[str, str], where: Where) -> bool:
    """Return True if a series has the wanted tags."""
    for name, wanted in where.items():
        value = tags.get(name)
        if value != wanted if isinstance(wanted, str) else value not in wanted:
            return False
    return True


class Store(Protocol):
    """A database of points. All methods except `close` may raise `StoreUnavailable`."""

    async def prepare(self) -> None:
        """Create the file or the database if it does not exist. Can be called repeatedly."""

    async def write(self, points: Sequence[Point]) -> WriteResult:
        """Write points. They are stored when the call returns (law 2)."""

    async def write_columns(self, measurement: str, series: Sequence[SeriesColumns]) -> WriteResult:
        """Write the points of series, like `write`, in less time.

        The index of a point is its index in all points of the call, one series after the other.
        """

    async def read(
        self,
        measurement: str,
        field: str,
        *,
        where: Where,
        start_ms: int,
        end_ms: int,
    ) -> list[Series]:
        """Return the series of a float field that have points in `start_ms <= time < end_ms`.

        Args:
            measurement: name of a measurement in `schema.py`.
            field: name of a float field of the measurement.
            where: tags that the series must have.
            start_ms: start of the time span [UTC, ms], included.
            end_ms: end of the time span [UTC, ms], not included.
        """

    async def read_columns(
        self,
        measurement: str,
        fields: Sequence[str],
        *,
        where: Where,
        start_ms: int,
        end_ms: int,
    ) -> list[SeriesColumns]:
        """Return the series that have points with at least one of several float fields.

        Each series has a column for each field. The other arguments are those of `read`.
        """

    async def read_text(
        self,
        measurement: str,
        field: str,
        *,
        where: Where,
        start_ms: int,
        end_ms: int,
    ) -> list[TextSeries]:
        """Return the series of a text field; the arguments are those of `read`."""

    async def count(
        self,
        measurement: str,
        field: str,
        *,
        where: Where,
        start_ms: int,
        end_ms: int,
        step_ms: int,
    ) -> list[Series]:
        """Return the number of points of a field in each interval, by series.

        Args:
            measurement: name of a measurement in `schema.py`.
            field: name of a float field of the measurement.
            where: tags that the series must have.
            start_ms: start of the first interval [UTC, ms].
            end_ms: end of the last interval [UTC, ms].
            step_ms: length of an interval [ms].

        Returns:
            Series whose times are starts of intervals. Intervals without a point are left out.
        """

    async def span(
        self, measurement: str, *, where: Where, field: str | None = None
    ) -> tuple[int, int] | None:
        """Return the first and last time of matching points [UTC, ms]; None if there are none.

        If `field` is given, only points with this field match.
        """

    async def spans(
        self, measurement: str, *, where: Where, field: str | None = None
    ) -> list[SeriesSpan]:
        """Return the first and last time of each series; the arguments are those of `span`."""

    async def delete(
        self, measurement: str, *, where: Mapping[str, str], start_ms: int, end_ms: int
    ) -> None:
        """Delete matching points in `start_ms <= time < end_ms`, e.g. of outdated consumption."""

    async def retention_s(self) -> float | None:
        """Return the time for which the store keeps points [s]; None if it keeps them forever."""

    async def close(self) -> None:
        """Close files and connections. No written point is lost."""
