"""Store points in InfluxDB 1.x, 2.x or openGemini: line protocol and InfluxQL over HTTP.

Laws:

1. A point counts as rejected only if the server answers with a known error message. `write_answers`
   distinguishes such messages from failures of the server or a proxy; `line_writer` finds the
   rejected points.
2. Queries may be asked at once; a few are sent, and the others wait. So a program need not count
   them.
3. A missing database is created, once in a call. If this is impossible over InfluxQL (2.x), the
   error tells how to create it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from jieneng.metering.errors import StoreUnavailable
from jieneng.metering.line_protocol import encode_point
from jieneng.metering.schema import Point
from jieneng.storage import influxql
from jieneng.storage.influx_http import AccessRefused, DatabaseMissing, InfluxHttp
from jieneng.storage.line_writer import LineWriter, NothingAccepted
from jieneng.storage.point_rules import rejection_reason
from jieneng.storage.settings import StoreSettings
from jieneng.storage.store import (
    INVALID,
    RejectedPoint,
    Series,
    SeriesColumns,
    SeriesSpan,
    TextSeries,
    Where,
    WriteResult,
    write_result,
)
from jieneng.storage.write_answers import WriteAnswer

_Result = TypeVar("_Result")

#: Largest number of queries that wait for answers; further ones wait for their turn.
_QUERIES_AT_ONCE: Final = 4


def open_store(settings: StoreSettings, _: Path) -> "InfluxStore":
    """Return a store on the server of `url`."""
    return InfluxStore(settings)


class InfluxStore:
    """A `Store` in InfluxDB or openGemini."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._http = InfluxHttp(settings)
        self._lines = LineWriter(self._post)
        self._free_queries = asyncio.Semaphore(_QUERIES_AT_ONCE)

    async def prepare(self) -> None:
        """Create the database, if server and account may do that over InfluxQL."""
        query = influxql.create_database(self._settings.database)
        try:
            answers = await self._http.response_chunks("POST", query)
        except AccessRefused as error:
            # An account with restricted rights can't create the database; an administrator has
            # created it.
            if error.is_known:
                return
            raise
        for answer in answers:
            # InfluxDB 2.x answers "not implemented" with status 200; the bucket may exist.
            known = ("not implemented", influxql.POLICY_CONFLICT)
            if (words := answer.first_error) and not any(one in words for one in known):
                raise self._http.unavailable(words)

    async def write(self, points: Sequence[Point]) -> WriteResult:
        """Write points, and return each one that is not stored."""
        reasons = [rejection_reason(point) for point in points]
        sent = [index for index, reason in enumerate(reasons) if reason is None]
        refused = await self._lines.write([encode_point(points[index]) for index in sent])
        if isinstance(refused, NothingAccepted):
            raise StoreUnavailable(
                "the database at {url} accepts no points: {reason}. Check its log.",
                url=self._http.url,
                reason=refused.words,
            )
        not_stored = [
            RejectedPoint(index, points[index], INVALID, reason)
            for index, reason in enumerate(reasons)
            if reason is not None
        ]
        not_stored += [
            RejectedPoint(sent[line.number], points[sent[line.number]], line.code, line.words)
            for line in refused
        ]
        return write_result(len(points), not_stored)

    async def write_columns(self, measurement: str, series: Sequence[SeriesColumns]) -> WriteResult:
        """Write the points of series, and return each one that is not stored."""
        return await self.write([point for one in series for point in one.points(measurement)])

    async def read(
        self,
        measurement: str,
        field: str,
        *,
        where: Where,
        start_ms: int,
        end_ms: int,
    ) -> list[Series]:
        """Return the series of a float field in `start_ms <= time < end_ms`."""
        found = await self.read_columns(
            measurement, [field], where=where, start_ms=start_ms, end_ms=end_ms
        )
        return [Series(one.tags, one.times_ms, one.columns[field]) for one in found]

    async def read_columns(
        self,
        measurement: str,
        fields: Sequence[str],
        *,
        where: Where,
        start_ms: int,
        end_ms: int,
    ) -> list[SeriesColumns]:
        """Return the series of float fields in `start_ms <= time < end_ms`."""
        query = influxql.select(measurement, fields, where, start_ms, end_ms)
        return influxql.join_blocks(await self._query("GET", query), fields)

    async def read_text(
        self,
        measurement: str,
        field: str,
        *,
        where: Where,
        start_ms: int,
        end_ms: int,
    ) -> list[TextSeries]:
        """Return the series of a text field in `start_ms <= time < end_ms`."""
        query = influxql.select(measurement, [field], where, start_ms, end_ms)
        return influxql.join_text_blocks(await self._query("GET", query))

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
        """Return the number of points of a field in each interval, by series."""
        query = influxql.count(measurement, field, where, start_ms, end_ms, step_ms)
        found = influxql.join_blocks(await self._query("GET", query), [field])
        return [Series(one.tags, one.times_ms, one.columns[field]) for one in found]

    async def span(
        self, measurement: str, *, where: Where, field: str | None = None
    ) -> tuple[int, int] | None:
        """Return the first and last time of matching points [UTC, ms]."""
        first = await self._query("GET", influxql.first_point(measurement, where, "ASC", field))
        last = await self._query("GET", influxql.first_point(measurement, where, "DESC", field))
        return (
            (influxql.first_time_ms(first), influxql.first_time_ms(last))
            if first and last
            else None
        )

    async def spans(
        self, measurement: str, *, where: Where, field: str | None = None
    ) -> list[SeriesSpan]:
        """Return the first and last time of each matching series."""
        orders = ("ASC", "DESC")
        queries = [influxql.first_points(measurement, where, order, field) for order in orders]
        first, last = await asyncio.gather(*(self._query("GET", query) for query in queries))
        return influxql.join_spans(first, last)

    async def delete(
        self, measurement: str, *, where: Mapping[str, str], start_ms: int, end_ms: int
    ) -> None:
        """Delete matching points in `start_ms <= time < end_ms`."""
        await self._query("POST", influxql.delete(measurement, where, start_ms, end_ms))

    async def retention_s(self) -> float | None:
        """Return the time for which points are kept [s]; None if without end."""
        return await self._with_database(self._http.retention_s)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _post(self, body: bytes) -> WriteAnswer:
        return await self._with_database(lambda: self._http.post_lines(body))

    async def _query(self, method: str, statement: str) -> list[influxql.SeriesBlock]:
        async with self._free_queries:
            return await self._with_database(lambda: self._http.ask(method, statement))

    async def _with_database(self, work: Callable[[], Awaitable[_Result]]) -> _Result:
        try:
            return await work()
        except DatabaseMissing:
            await self.prepare()
        try:
            return await work()
        except DatabaseMissing as error:
            raise StoreUnavailable(
                "the server at {url} has no database {database}, and it can't be created from "
                "here. Create it on the server; InfluxDB 2 also needs a DBRP mapping of that "
                "name.",
                url=self._http.url,
                database=self._settings.database,
            ) from error
