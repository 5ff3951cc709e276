"""The contract of a store, in words and types; one shared test holds every store to it.

Laws of a store:

1. Meter + quantity + time is one point. Writing a point again, alone or among others, in any
   order, leaves the store as writing it once; a later value of the same field replaces.
2. When `write` returns, what it counts as written survives a crash of the process and, as far
   as the server promises it, of the machine.
3. A point that the store refuses is named with its reason, and costs no other point.
4. What was not written for another reason raises `StoreUnavailable`: the whole call may be
   repeated, and law 1 makes that harmless.
5. `read` gives what was written, as float64, by ascending time; nothing is filled in.
6. Reads are bounded in time.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from jieneng.metering.schema import Point

if TYPE_CHECKING:  # the ingest writes and never reads: it starts without numpy
    from numpy import float64, int64
    from numpy.typing import NDArray


class Rejected(msgspec.Struct, frozen=True):
    """A point that the store will never take, and why."""

    point: Point
    reason: str


class WriteResult(msgspec.Struct, frozen=True):
    """What became of the points of one `write`: `written + len(rejected)` is their number."""

    written: int
    rejected: tuple[Rejected, ...] = ()


class Series(msgspec.Struct, frozen=True):
    """One field of one series.

    Attributes:
        tags: all tags of the series.
        times_ms: shape (n,), int64, UTC milliseconds, strictly ascending.
        values: shape (n,), float64, in the field's unit.
    """

    tags: Mapping[str, str]
    times_ms: "NDArray[int64]"
    values: "NDArray[float64]"


class Store(Protocol):
    """The only door to a database. All methods but `close` may raise `StoreUnavailable`."""

    async def prepare(self) -> None:
        """Make what has to be there: the file, the database. May be called again."""

    async def write(self, points: Sequence[Point]) -> WriteResult:
        """Write points; when it returns they are stored."""

    async def read(
        self,
        measurement: str,
        field: str,
        *,
        where: Mapping[str, str],
        start_ms: int,
        end_ms: int,
    ) -> list[Series]:
        """The series of a float field in `start_ms <= time < end_ms`; empty ones are left out.

        Args:
            measurement: a name of `schema.py`.
            field: one of its float fields.
            where: tags that the series must have; others may differ.
            start_ms: inclusive.
            end_ms: exclusive.
        """

    async def span(self, measurement: str, *, where: Mapping[str, str]) -> tuple[int, int] | None:
        """First and last time of any point of the measurement [ms]; None where there is none."""

    async def delete(
        self, measurement: str, *, where: Mapping[str, str], start_ms: int, end_ms: int
    ) -> None:
        """Remove what lies in `start_ms <= time < end_ms`: derived series are made anew."""

    async def close(self) -> None:
        """Let go of connections. Nothing written is lost."""
