"""Store points in InfluxDB 1.x, 2.x or openGemini: line protocol and InfluxQL over HTTP.

Laws:

- Every response is read to its end, and only known responses count: `write_answers` distinguishes
  rejected points from a failure of the server or a proxy, `line_writer` finds the points.
- A missing database is created, once per call. If the server can't do that over InfluxQL (2.x), the
  error says how to create it.

Source: InfluxDB 1.8 HTTP API reference (/write, /query); InfluxDB 2 "1.x compatibility API".
"""

import os
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

import aiohttp
import msgspec

from jieneng.metering.errors import ConfigError, Problem, StoreUnavailable
from jieneng.metering.line_protocol import encode_point
from jieneng.metering.schema import Point
from jieneng.storage import influxql
from jieneng.storage.line_writer import LineWriter, NothingAccepted
from jieneng.storage.point_rules import rejection_reason
from jieneng.storage.settings import StoreSettings
from jieneng.storage.store import INVALID, RejectedPoint, Series, WriteResult, write_result
from jieneng.storage.write_answers import (
    Verdict,
    WriteAnswer,
    error_words,
    read_answer,
    tells_missing_database,
)

_Result = TypeVar("_Result")

#: Rows per block of a chunked response, about half a megabyte.
_ROWS_PER_CHUNK: Final = "20000"


class _DatabaseMissing(Exception):
    """Raised if the server responds, but does not have the database."""


def open_store(settings: StoreSettings, _: Path) -> "InfluxStore":
    """Return a store on the server of `url`."""
    return InfluxStore(settings)


class InfluxStore:
    """A `Store` in InfluxDB or openGemini."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._url = settings.url.rstrip("/")
        self._opened: aiohttp.ClientSession | None = None
        self._lines = LineWriter(self._post)

    async def prepare(self) -> None:
        """Create the database, if the server supports that over InfluxQL."""
        query = influxql.create_database(self._settings.database)
        for answer in await self._response_chunks("POST", query):
            # 2.x responds "not implemented" with status 200, although the bucket may exist.
            if (error := answer.first_error) and "not implemented" not in error:
                raise self._unavailable(error)

    async def write(self, points: Sequence[Point]) -> WriteResult:
        """Write points, and return each one that is not stored."""
        reasons = [rejection_reason(point) for point in points]
        sent = [index for index, reason in enumerate(reasons) if reason is None]
        refused = await self._lines.write([encode_point(points[index]) for index in sent])
        if isinstance(refused, NothingAccepted):
            raise StoreUnavailable(
                "the database at {url} accepts nothing: {reason}. Look into its log.",
                url=self._url,
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

    async def read(
        self,
        measurement: str,
        field: str,
        *,
        where: Mapping[str, str],
        start_ms: int,
        end_ms: int,
    ) -> list[Series]:
        """Return the series of a float field in `start_ms <= time < end_ms`."""
        query = influxql.select(measurement, field, where, start_ms, end_ms)
        return influxql.join_blocks(await self._query("GET", query))

    async def span(self, measurement: str, *, where: Mapping[str, str]) -> tuple[int, int] | None:
        """Return the first and last time of matching points [UTC, ms]."""
        first = await self._query("GET", influxql.first_point(measurement, where, "ASC"))
        last = await self._query("GET", influxql.first_point(measurement, where, "DESC"))
        return (
            (influxql.first_time_ms(first), influxql.first_time_ms(last))
            if first and last
            else None
        )

    async def delete(
        self, measurement: str, *, where: Mapping[str, str], start_ms: int, end_ms: int
    ) -> None:
        """Delete matching points in `start_ms <= time < end_ms`."""
        await self._query("POST", influxql.delete(measurement, where, start_ms, end_ms))

    async def close(self) -> None:
        """Close the connections."""
        session, self._opened = self._opened, None
        if session is not None:
            await session.close()

    # --- writing ------------------------------------------------------------------------------

    async def _post(self, body: bytes) -> WriteAnswer:
        """Send lines. Return the answer if it says something about them, else raise."""
        return await self._with_database(lambda: self._post_once(body))

    async def _post_once(self, body: bytes) -> WriteAnswer:
        parameters = {"db": self._settings.database, "precision": "ms"}
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout_s)
        async with self._request(
            "POST", "/write", params=parameters, data=body, timeout=timeout
        ) as response:
            answer = read_answer(response.status, await response.read())
        if answer.verdict is Verdict.NO_DATABASE:
            raise _DatabaseMissing
        if answer.verdict is Verdict.NOT_ALLOWED:
            raise self._unauthorized(answer.words)
        if answer.verdict is Verdict.TROUBLE:
            raise self._unavailable(answer.words)
        return answer

    # --- queries-------------------------------------------------------------------------------

    async def _query(self, method: str, query: str) -> list[influxql.SeriesBlock]:
        """Return the blocks of the whole response to a statement."""

        async def ask() -> list[influxql.SeriesBlock]:
            blocks: list[influxql.SeriesBlock] = []
            for answer in await self._response_chunks(method, query):
                if (error := answer.first_error) is not None:
                    raise (
                        _DatabaseMissing
                        if tells_missing_database(error)
                        else self._unavailable(error)
                    )
                for result in answer.results:
                    blocks += result.series
            return blocks

        return await self._with_database(ask)

    async def _response_chunks(self, method: str, query: str) -> list[influxql.ResponseChunk]:
        """Return the lines of a chunked response, decoded as they arrive."""
        parameters = {"db": self._settings.database, "q": query, "epoch": "ms"}
        if method == "GET":  # 2.9 answers a chunked DELETE with nothing at all
            parameters |= {"chunked": "true", "chunk_size": _ROWS_PER_CHUNK}
        # The time-out applies between two parts, because a long response takes long as a whole.
        timeout = aiohttp.ClientTimeout(
            total=None, connect=self._settings.timeout_s, sock_read=self._settings.timeout_s
        )
        answers, rest = list[influxql.ResponseChunk](), b""
        async with self._request(method, "/query", params=parameters, timeout=timeout) as response:
            if response.status in (401, 403):
                words = error_words(await response.read())
                raise self._unauthorized(f"{response.status} {words}")
            async for part in response.content.iter_any():
                *lines, rest = (rest + part).split(b"\n")
                answers += [self._decode_chunk(response.status, line) for line in lines if line]
        if rest:
            answers.append(self._decode_chunk(response.status, rest))
        if not answers:  # an InfluxQL server responds with JSON even if there are no points
            raise self._unavailable(f"{response.status} and nothing else")
        return answers

    def _decode_chunk(self, status: int, line: bytes) -> influxql.ResponseChunk:
        try:
            answer = influxql.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._unavailable(f"{status} {error_words(line)}") from error
        if status != 200 and not answer.first_error:
            raise self._unavailable(f"{status} {error_words(line)}")
        return answer

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's, handed on
        data: bytes | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._session().request(
                method, self._url + path, params=params, data=data, timeout=timeout
            ) as response:
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise StoreUnavailable(
                "the database at {url} can't be reached: {reason}. "
                "Start it, or correct url in [store].",
                url=self._url,
                reason=str(error) or type(error).__name__,
            ) from error

    async def _with_database(self, work: Callable[[], Awaitable[_Result]]) -> _Result:
        try:
            return await work()
        except _DatabaseMissing:
            await self.prepare()
        try:
            return await work()
        except _DatabaseMissing as error:
            raise StoreUnavailable(
                "the server at {url} has no database {database}, and it can't be created from "
                "here. Create it on the server; InfluxDB 2 also needs a DBRP mapping of that "
                "name.",
                url=self._url,
                database=self._settings.database,
            ) from error

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            settings = self._settings
            token = _read_secret(settings.token_file, "JIENENG_STORE_TOKEN")
            password = _read_secret(settings.password_file, "JIENENG_STORE_PASSWORD")
            allowed = f"Token {token}" if token else _basic_auth(settings.username, password)
            self._opened = aiohttp.ClientSession(
                headers={"Authorization": allowed} if allowed else None
            )
        return self._opened

    def _unauthorized(self, reason: str) -> StoreUnavailable:
        return StoreUnavailable(
            "the database at {url} refuses access ({reason}). Check username and password_file, or "
            "token_file, in [store].",
            url=self._url,
            reason=reason,
        )

    def _unavailable(self, reason: str) -> StoreUnavailable:
        return StoreUnavailable(
            "the database at {url} responded: {reason}. Check its log.",
            url=self._url,
            reason=reason,
        )


def _basic_auth(username: str | None, password: str | None) -> str | None:
    """Return the header of HTTP basic authentication (RFC 7617)."""
    if username is None:
        return None
    return "Basic " + b64encode(f"{username}:{password or ''}".encode()).decode()


def _read_secret(file: str | None, variable: str) -> str | None:
    if file is None:
        return os.environ.get(variable)
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(
            [
                Problem(
                    text="the secret in {path} can't be read: {reason}.",
                    fix="Check the path in [store] and the file's permissions.",
                    values={"path": file, "reason": error.strerror},
                    path=("store",),
                )
            ]
        ) from error
