"""Store points in InfluxDB 1.x, 2.x or openGemini: line protocol and InfluxQL over HTTP.

Laws:

- Every response is read to its end, and only known responses count. The text of the response
  distinguishes rejected points from a failure of the server or a proxy, so that a failure never
  makes a reading look rejected.
- A rejection does not name the lines. The batch is halved and written again, until each rejected
  point is alone. Writing again is harmless (law 1 of a store).
- A missing database is created, once per call. If the server can't do that over InfluxQL (2.x), the
  error says how to create it.

Source: InfluxDB 1.8 HTTP API reference (/write, /query); InfluxDB 2 "1.x compatibility API".
"""

import os
import re
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
from jieneng.storage.point_rules import rejection_reason
from jieneng.storage.settings import StoreSettings
from jieneng.storage.store import RejectedPoint, Series, WriteResult

_Result = TypeVar("_Result")

#: Lines per request. Measured with InfluxDB 1.6.7: 416,000 points/s; twice as many lines gain 20 %.
_LINES_PER_REQUEST: Final = 5000
#: Rows per block of a chunked response, about half a megabyte.
_ROWS_PER_CHUNK: Final = "20000"

#: Status of rejected points: 400 in 1.x and 2.x, also 422 in 2.x; 413 if the request is too large.
_TOO_LARGE: Final = 413
_REJECTING_STATUS: Final = (400, 422, _TOO_LARGE)
_REJECTION_TEXT: Final = re.compile(
    r"partial write|unable to parse|field type conflict", re.IGNORECASE
)
#: Text of a limit of the server. It accepts the points once the limit is raised: no rejection.
_LIMIT_EXCEEDED: Final = re.compile(r"max-(?:series|values)-per", re.IGNORECASE)
_DROPPED_COUNT: Final = re.compile(r"dropped=(\d+)")
_NO_DATABASE_TEXT: Final = re.compile(
    r"database not found|DBRP mapping|bucket .*not found", re.IGNORECASE
)


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

    async def prepare(self) -> None:
        """Create the database, if the server supports that over InfluxQL."""
        query = influxql.create_database(self._settings.database)
        for answer in await self._response_chunks("POST", query):
            # 2.x responds "not implemented" with status 200, although the bucket may exist.
            if (error := answer.first_error) and "not implemented" not in error:
                raise self._unavailable(error)

    async def write(self, points: Sequence[Point]) -> WriteResult:
        """Write points, and return each rejected one."""
        rejected: list[RejectedPoint] = []
        for start in range(0, len(points), _LINES_PER_REQUEST):
            lines: list[tuple[Point, str]] = []
            for point in points[start : start + _LINES_PER_REQUEST]:
                if reason := rejection_reason(point):
                    rejected.append(RejectedPoint(point, reason))
                else:
                    lines.append((point, encode_point(point)))
            rejected += await self._write_lines(lines)
        return WriteResult(len(points) - len(rejected), tuple(rejected))

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

    async def _write_lines(self, lines: Sequence[tuple[Point, str]]) -> list[RejectedPoint]:
        if not lines:
            return []
        body = "\n".join([line for _, line in lines]).encode()
        rejection = await self._with_database(lambda: self._post(body))
        if rejection is None:
            return []
        dropped = _DROPPED_COUNT.search(rejection)
        if len(lines) == 1 or (dropped and int(dropped[1]) == len(lines)):
            return [RejectedPoint(point, rejection) for point, _ in lines]
        middle = len(lines) // 2
        return [
            *await self._write_lines(lines[:middle]),
            *await self._write_lines(lines[middle:]),
        ]

    async def _post(self, body: bytes) -> str | None:
        """Send lines. Return None if every line is stored, else the reason why some are not."""
        parameters = {"db": self._settings.database, "precision": "ms"}
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout_s)
        async with self._request(
            "POST", "/write", params=parameters, data=body, timeout=timeout
        ) as response:
            text = _error_text(await response.read())
        if response.status in (200, 204):
            return None
        if response.status == 404:
            raise _DatabaseMissing
        rejects = (
            response.status in _REJECTING_STATUS
            and _REJECTION_TEXT.search(text)
            and not _LIMIT_EXCEEDED.search(text)
        )
        if rejects or response.status == _TOO_LARGE:
            return text
        raise self._unavailable(f"{response.status} {text}")

    # --- queries-------------------------------------------------------------------------------

    async def _query(self, method: str, query: str) -> list[influxql.SeriesBlock]:
        """Return the blocks of the whole response to a statement."""

        async def ask() -> list[influxql.SeriesBlock]:
            blocks: list[influxql.SeriesBlock] = []
            for answer in await self._response_chunks(method, query):
                if (error := answer.first_error) is not None:
                    raise (
                        _DatabaseMissing
                        if _NO_DATABASE_TEXT.search(error)
                        else self._unavailable(error)
                    )
                for result in answer.results:
                    blocks += result.series
            return blocks

        return await self._with_database(ask)

    async def _response_chunks(self, method: str, query: str) -> list[influxql.ResponseChunk]:
        """Return the lines of a chunked response, decoded as they arrive."""
        parameters = {"db": self._settings.database, "q": query, "epoch": "ms"}
        parameters |= {"chunked": "true", "chunk_size": _ROWS_PER_CHUNK}
        # The time-out applies between two parts, because a long response takes long as a whole.
        timeout = aiohttp.ClientTimeout(
            total=None, connect=self._settings.timeout_s, sock_read=self._settings.timeout_s
        )
        answers, rest = list[influxql.ResponseChunk](), b""
        async with self._request(method, "/query", params=parameters, timeout=timeout) as response:
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
            raise self._unavailable(f"{status} {_error_text(line)}") from error
        if status != 200 and not answer.first_error:
            raise self._unavailable(f"{status} {_error_text(line)}")
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
                if response.status in (401, 403):
                    raise self._unauthorized(response.status, _error_text(await response.read()))
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

    def _unauthorized(self, status: int, text: str) -> StoreUnavailable:
        return StoreUnavailable(
            "the database at {url} refuses access ({status} {reason}). Check username and "
            "password_file, or token_file, in [store].",
            url=self._url,
            status=status,
            reason=text,
        )

    def _unavailable(self, reason: str) -> StoreUnavailable:
        return StoreUnavailable(
            "the database at {url} responded: {reason}. Check its log.",
            url=self._url,
            reason=reason,
        )


def _error_text(body: bytes) -> str:
    """Return the error in the body of a response, short enough for a log."""
    text = body[:2000].decode("utf-8", "replace").strip()
    try:
        form = msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return text[:300]
    # The key is `error` in 1.x and openGemini, `message` in 2.x.
    return str(form.get("error") or form.get("message") or text)[:300]


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
