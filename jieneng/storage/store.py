"""Define the contract of a store. The contract test holds every store to it.

Laws of a store:

1. Meter, quantity and time identify a point. Writing a point again, alone or with others, in any
   order, has the same result as writing it once. A later value of a field replaces the earlier one.
2. Points that `write` has reported as written survive a crash of the process and, if the server
   guarantees it, of the machine.
3. A point that the store rejects is returned with the reason, and does not affect other points.
4. Any other failure to write raises `StoreUnavailable`. The whole call can then be repeated, by
   law 1.
5. `read` returns the written points as float64, by ascending time. Gaps are not filled.
6. Reads are bounded in time.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from jieneng.metering.schema import Point

if TYPE_CHECKING:  # the ingest writes and never reads: it starts without numpy
    from numpy import float64, int64
    from numpy.typing import NDArray


class RejectedPoint(msgspec.Struct, frozen=True):
    """A point that the store rejects, with the reason."""

    point: Point
    reason: str


class WriteResult(msgspec.Struct, frozen=True):
    """Result of a `write`.

    Attributes:
        written: number of points written.
        rejected: the other points.
    """

    written: int
    rejected: tuple[RejectedPoint, ...] = ()


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
    """A database of points. All methods except `close` may raise `StoreUnavailable`."""

    async def prepare(self) -> None:
        """Create the file or the database if it does not exist. Can be called repeatedly."""

    async def write(self, points: Sequence[Point]) -> WriteResult:
        """Write points. They are stored when the call returns (law 2)."""

    async def read(
        self,
        measurement: str,
        field: str,
        *,
        where: Mapping[str, str],
        start_ms: int,
        end_ms: int,
    ) -> list[Series]:
        """Return the series of a float field that have points in `start_ms <= time < end_ms`.

        Args:
            measurement: name of a measurement in `schema.py`.
            field: name of a float field of the measurement.
            where: tags that the series must have; other tags may have any value.
            start_ms: start of the time span [UTC, ms], included.
            end_ms: end of the time span [UTC, ms], not included.
        """

    async def span(self, measurement: str, *, where: Mapping[str, str]) -> tuple[int, int] | None:
        """Return the first and last time of matching points [UTC, ms]; None if there are none."""

    async def delete(
        self, measurement: str, *, where: Mapping[str, str], start_ms: int, end_ms: int
    ) -> None:
        """Delete matching points in `start_ms <= time < end_ms`, e.g. of outdated consumption."""

    async def close(self) -> None:
        """Close files and connections. No written point is lost."""
