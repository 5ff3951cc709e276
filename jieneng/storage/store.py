"""Define the contract of a store, in words and types; one shared test holds every store to it.

Laws of a store:

1. Meter + quantity + time is one point. Writing a point again, alone or among others, in any
   order, leaves the store as if it had been written once. A later value of a field replaces the
   earlier one.
2. Points that a returned `write` counts as written survive a crash of the process and, as far as
   the server promises it, of the machine.
3. A point that the store rejects is returned with its reason, and costs no other point. A refusal
   in words that nobody knows rejects no point: such points are returned apart, as `unclear`.
4. Any other failure to write raises `StoreUnavailable`. The whole call may then be repeated; law 1
   makes that harmless.
5. `read` returns the points written, as float64, by ascending time; gaps are not filled.
6. Reads are bounded in time.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from jieneng.metering.schema import Point

if TYPE_CHECKING:  # the ingest writes and never reads: it starts without numpy
    from numpy import float64, int64
    from numpy.typing import NDArray


#: Codes of points that are not stored, though no verdict on them is known.
UNCLEAR: Final = "unclear"
UNTRIED: Final = "untried"
#: Code of a point that `point_rules` rejects, before any server sees it.
INVALID: Final = "invalid"


class RejectedPoint(msgspec.Struct, frozen=True):
    """A point that is not stored, and the reason.

    Attributes:
        index: number of the point in the sequence that was to be written.
        point: the point.
        code: short name of the reason: `invalid`, one of `write_answers.REFUSAL_WORDS` or, among
            the unclear points, `unclear` (refused alone, while the server accepted another point)
            or `untried` (refused only together with others).
        reason: the server's own words, short enough for a log.
    """

    index: int
    point: Point
    code: str
    reason: str


class WriteResult(msgspec.Struct, frozen=True):
    """The result of one `write`: every point of the call is counted or listed exactly once.

    Attributes:
        written: number of stored points.
        rejected: points that the store will never take as they are, by ascending index.
        unclear: points that are not stored, with no verdict on them, by ascending index. They may
            be stored later, so they are to be written again together with others.
    """

    written: int
    rejected: tuple[RejectedPoint, ...] = ()
    unclear: tuple[RejectedPoint, ...] = ()

    @property
    def not_stored(self) -> tuple[RejectedPoint, ...]:
        """All points that are not stored."""
        return self.rejected + self.unclear


def write_result(count: int, not_stored: Iterable[RejectedPoint]) -> WriteResult:
    """Return the result of a write of `count` points, of which these are not stored."""
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


class Store(Protocol):
    """The only door to a database. All methods but `close` may raise `StoreUnavailable`."""

    async def prepare(self) -> None:
        """Create the file or the database if it does not exist. May be called again."""

    async def write(self, points: Sequence[Point]) -> WriteResult:
        """Write points. They are stored when it returns."""

    async def read(
        self,
        measurement: str,
        field: str,
        *,
        where: Mapping[str, str],
        start_ms: int,
        end_ms: int,
    ) -> list[Series]:
        """Return the series of a float field in `start_ms <= time < end_ms`, empty ones left out.

        Args:
            measurement: a name of `schema.py`.
            field: one of its float fields.
            where: tags that the series must have; other tags may have any value.
            start_ms: inclusive.
            end_ms: exclusive.
        """

    async def span(self, measurement: str, *, where: Mapping[str, str]) -> tuple[int, int] | None:
        """Return the first and last time of the measurement's points [ms]; None if it has none."""

    async def delete(
        self, measurement: str, *, where: Mapping[str, str], start_ms: int, end_ms: int
    ) -> None:
        """Remove the points in `start_ms <= time < end_ms`, to compute derived series anew."""

    async def close(self) -> None:
        """Close files and connections. Nothing written is lost."""
