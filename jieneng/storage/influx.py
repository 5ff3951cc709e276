"""Line protocol in, InfluxQL out, over HTTP: InfluxDB 1.x, 2.x and openGemini by one path.

Laws:

- Every answer is read to its end, and only one that we know is believed. Refused points are told
  from a server or proxy in trouble by the words of the answer, so that trouble never makes a
  reading look refused.
- A refusal names no lines: the batch is halved and written again until each refused point stands
  alone. Writing again is harmless (law 1 of a store).
- A database that is missing is made, once a call; where the server can't (2.x), it is said how.

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
from jieneng.storage.base import Rejected, Series, WriteResult
from jieneng.storage.point_rules import reason_against
from jieneng.storage.settings import StoreSettings

_Result = TypeVar("_Result")

#: Lines a request. Measured on InfluxDB 1.6.7: 416,000 points/s; twice as many gain a fifth.
_LINES: Final = 5000
#: Rows a block of a streamed answer, about half a megabyte.
_ROWS: Final = "20000"

#: 1.x and 2.x refuse points with 400, 2.x also with 422; a request that is too large gets 413.
_TOO_LARGE: Final = 413
_REFUSING: Final = (400, 422, _TOO_LARGE)
_REFUSAL: Final = re.compile(r"partial write|unable to parse|field type conflict", re.IGNORECASE)
#: What looks like a refusal, but is the server's own limit: it takes the points once it is raised.
_LIMIT: Final = re.compile(r"max-(?:series|values)-per", re.IGNORECASE)
_DROPPED: Final = re.compile(r"dropped=(\d+)")
_NO_DATABASE: Final = re.compile(
    r"database not found|DBRP mapping|bucket .*not found", re.IGNORECASE
)


class _DatabaseMissing(Exception):
    """The server is there, the database is not."""


class InfluxStore:
    """A `Store` in an InfluxDB or openGemini."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._url = settings.url.rstrip("/")
        self._opened: aiohttp.ClientSession | None = None

    async def prepare(self) -> None:
        """Make the database, where the server lets it be made from here."""
        query = influxql.create_database(self._settings.database)
        for answer in await self._answers("POST", query):
            # 2.x says so with status 200: its buckets are made by its own means, and may be there.
            if (error := answer.whole_error) and "not implemented" not in error:
                raise self._trouble(error)

    async def write(self, points: Sequence[Point]) -> WriteResult:
        """Write points; each refused one is named."""
        rejected: list[Rejected] = []
        for start in range(0, len(points), _LINES):
            lines: list[tuple[Point, str]] = []
            for point in points[start : start + _LINES]:
                if reason := reason_against(point):
                    rejected.append(Rejected(point, reason))
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
        """The series of a float field in `start_ms <= time < end_ms`."""
        query = influxql.select(measurement, field, where, start_ms, end_ms)
        return influxql.joined(await self._ask("GET", query))

    async def span(self, measurement: str, *, where: Mapping[str, str]) -> tuple[int, int] | None:
        """First and last time of any point of the measurement [ms]."""
        first = await self._ask("GET", influxql.end_of(measurement, where, "ASC"))
        last = await self._ask("GET", influxql.end_of(measurement, where, "DESC"))
        return (influxql.time_of(first), influxql.time_of(last)) if first and last else None

    async def delete(
        self, measurement: str, *, where: Mapping[str, str], start_ms: int, end_ms: int
    ) -> None:
        """Remove what lies in `start_ms <= time < end_ms`."""
        await self._ask("POST", influxql.delete(measurement, where, start_ms, end_ms))

    async def close(self) -> None:
        """Let go of connections."""
        session, self._opened = self._opened, None
        if session is not None:
            await session.close()

    # --- writing ------------------------------------------------------------------------------

    async def _write_lines(self, lines: Sequence[tuple[Point, str]]) -> list[Rejected]:
        if not lines:
            return []
        body = "\n".join([line for _, line in lines]).encode()
        refusal = await self._with_database(lambda: self._post(body))
        if refusal is None:
            return []
        dropped = _DROPPED.search(refusal)
        if len(lines) == 1 or (dropped and int(dropped[1]) == len(lines)):
            return [Rejected(point, refusal) for point, _ in lines]
        middle = len(lines) // 2
        return [
            *await self._write_lines(lines[:middle]),
            *await self._write_lines(lines[middle:]),
        ]

    async def _post(self, body: bytes) -> str | None:
        """None where every line is stored, else why some of them are not."""
        parameters = {"db": self._settings.database, "precision": "ms"}
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout_s)
        async with self._request(
            "POST", "/write", params=parameters, data=body, timeout=timeout
        ) as response:
            text = _text(await response.read())
        if response.status in (200, 204):
            return None
        if response.status == 404:
            raise _DatabaseMissing
        refused = response.status in _REFUSING and _REFUSAL.search(text) and not _LIMIT.search(text)
        if refused or response.status == _TOO_LARGE:
            return text
        raise self._trouble(f"{response.status} {text}")

    # --- asking -------------------------------------------------------------------------------

    async def _ask(self, method: str, query: str) -> list[influxql.Block]:
        """The whole answer to a statement."""

        async def ask() -> list[influxql.Block]:
            blocks: list[influxql.Block] = []
            for answer in await self._answers(method, query):
                if (error := answer.whole_error) is not None:
                    raise _DatabaseMissing if _NO_DATABASE.search(error) else self._trouble(error)
                for result in answer.results:
                    blocks += result.series
            return blocks

        return await self._with_database(ask)

    async def _answers(self, method: str, query: str) -> list[influxql.Answer]:
        """The lines of an answer, decoded as they stream in."""
        parameters = {"db": self._settings.database, "q": query, "epoch": "ms"}
        parameters |= {"chunked": "true", "chunk_size": _ROWS}
        # Between two bytes, not for the whole: a long answer is no silent server.
        timeout = aiohttp.ClientTimeout(
            total=None, connect=self._settings.timeout_s, sock_read=self._settings.timeout_s
        )
        answers, rest = list[influxql.Answer](), b""
        async with self._request(method, "/query", params=parameters, timeout=timeout) as response:
            async for part in response.content.iter_any():
                *lines, rest = (rest + part).split(b"\n")
                answers += [self._answer(response.status, line) for line in lines if line]
        if rest:
            answers.append(self._answer(response.status, rest))
        if not answers:  # a server that knows InfluxQL says even "nothing" in words
            raise self._trouble(f"{response.status} and nothing else")
        return answers

    def _answer(self, status: int, line: bytes) -> influxql.Answer:
        try:
            answer = influxql.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._trouble(f"{status} {_text(line)}") from error
        if status != 200 and not answer.whole_error:
            raise self._trouble(f"{status} {_text(line)}")
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
                    raise self._not_allowed(response.status, _text(await response.read()))
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
                "the server at {url} has no database {database}, and it can't be made from here. "
                "Make it there; InfluxDB 2 also wants a DBRP mapping of that name.",
                url=self._url,
                database=self._settings.database,
            ) from error

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            settings = self._settings
            token = _secret(settings.token_file, "JIENENG_STORE_TOKEN")
            password = _secret(settings.password_file, "JIENENG_STORE_PASSWORD")
            allowed = f"Token {token}" if token else _basic(settings.username, password)
            self._opened = aiohttp.ClientSession(
                headers={"Authorization": allowed} if allowed else None
            )
        return self._opened

    def _not_allowed(self, status: int, text: str) -> StoreUnavailable:
        return StoreUnavailable(
            "the database at {url} does not let us in ({status} {reason}). "
            "Check username and password_file, or token_file, in [store].",
            url=self._url,
            status=status,
            reason=text,
        )

    def _trouble(self, reason: str) -> StoreUnavailable:
        return StoreUnavailable(
            "the database at {url} answered: {reason}. Look into its log.",
            url=self._url,
            reason=reason,
        )


def _text(body: bytes) -> str:
    """What an answer says is wrong, short enough for a log."""
    text = body[:2000].decode("utf-8", "replace").strip()
    try:
        form = msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return text[:300]
    # 1.x and openGemini say `error`, 2.x says `message`.
    return str(form.get("error") or form.get("message") or text)[:300]


def _basic(username: str | None, password: str | None) -> str | None:
    """HTTP basic authentication (RFC 7617)."""
    if username is None:
        return None
    return "Basic " + b64encode(f"{username}:{password or ''}".encode()).decode()


def _secret(file: str | None, variable: str) -> str | None:
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
