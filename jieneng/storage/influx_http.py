"""Send requests to an InfluxDB or openGemini over HTTP: lines to `/write`, InfluxQL to `/query`.

Law: every response is read to its end. A response that is not understood raises `StoreUnavailable`
with the server's message, so that a failure is never interpreted as "no data".

Source: InfluxDB 1.8 HTTP API reference (/write, /query); InfluxDB 2 "1.x compatibility API".
"""

import os
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

from jieneng.metering.errors import ConfigError, Problem, StoreUnavailable
from jieneng.storage import influxql
from jieneng.storage.server_kinds import INFLUX_2, recognise
from jieneng.storage.settings import StoreSettings
from jieneng.storage.write_answers import (
    Verdict,
    WriteAnswer,
    error_words,
    read_answer,
    tells_missing_database,
)

#: Rows per block of a chunked response, about half a megabyte.
_ROWS_PER_CHUNK: Final = "20000"


class DatabaseMissing(Exception):
    """The error if the server responds, but does not have the database."""


class AccessRefused(StoreUnavailable):
    """The error if the server does not accept the credentials, or not for this request.

    Attributes:
        is_known: True if the account exists but lacks a privilege (status 403, not 401).
    """

    is_known = False


class Credentials(msgspec.Struct, frozen=True):
    """A token, or a user and a password, or neither: requests without authentication."""

    token: str | None = None
    username: str | None = None
    password: str | None = None

    @property
    def header(self) -> str | None:
        """The header `Authorization` (basic: RFC 7617); None without credentials."""
        if self.token:
            return f"Token {self.token}"
        if self.username is None:
            return None
        pair = f"{self.username}:{self.password or ''}"
        return "Basic " + b64encode(pair.encode()).decode()


class Ping(msgspec.Struct, frozen=True):
    """The answer to `/ping`."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _RetentionRule(msgspec.Struct, rename={"every_s": "everySeconds"}):
    every_s: float = 0.0


class _Bucket(msgspec.Struct, rename={"rules": "retentionRules"}):
    rules: list[_RetentionRule] = []


class _Buckets(msgspec.Struct):
    buckets: list[_Bucket]


class InfluxHttp:
    """Connections to one server."""

    def __init__(self, settings: StoreSettings, credentials: Credentials | None = None) -> None:
        """Take the address and the credentials; nothing is opened before the first call.

        Args:
            settings: the table `[store]`.
            credentials: credentials of the request; those of the settings if None.
        """
        self._settings = settings
        self._credentials = credentials
        self._opened: aiohttp.ClientSession | None = None
        self._authorization: dict[str, str] | None = None  # None: the secrets are to be read
        self.url: Final = settings.url.rstrip("/")

    async def post_lines(self, body: bytes) -> WriteAnswer:
        """Send lines and return the answer; raise if the answer is not about the lines."""
        parameters = {"db": self._settings.database, "precision": "ms"}
        async with self._request(
            "POST", "/write", params=parameters, data=body, timeout=self._total_timeout()
        ) as response:
            answer = read_answer(response.status, await response.read())
        if answer.verdict is Verdict.NO_DATABASE:
            raise DatabaseMissing
        if answer.verdict is Verdict.NOT_ALLOWED:
            raise self._unauthorized(answer.words)
        if answer.verdict is Verdict.TROUBLE:
            raise self.unavailable(answer.words)
        return answer

    async def ask(self, method: str, statement: str) -> list[influxql.SeriesBlock]:
        """Return the blocks of the whole response to a statement."""
        blocks: list[influxql.SeriesBlock] = []
        for answer in await self.response_chunks(method, statement):
            if (error := answer.first_error) is not None:
                raise DatabaseMissing if tells_missing_database(error) else self.unavailable(error)
            for result in answer.results:
                blocks += result.series
        return blocks

    async def response_chunks(self, method: str, statement: str) -> list[influxql.ResponseChunk]:
        """Return the lines of a chunked response, decoded as they arrive."""
        parameters = {"db": self._settings.database, "q": statement, "epoch": "ms"}
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
            raise self.unavailable(f"{response.status} and nothing else")
        return answers

    async def ping(self) -> Ping:
        """Ask the server for its name and version."""
        async with self._request(
            "GET", "/ping", params={}, timeout=self._total_timeout()
        ) as response:
            return Ping(response.status, response.headers, await response.read())

    async def retention_s(self) -> float | None:
        """Return the time for which the database keeps points [s]; None if without end."""
        told = await self.ping()
        if recognise(told.headers, told.body).kind == INFLUX_2:
            return await self._bucket_retention_s()
        return influxql.retention_s(
            await self.ask("GET", influxql.show_retention(self._settings.database))
        )

    async def _bucket_retention_s(self) -> float | None:
        """Ask the API of 2.x, because InfluxQL on 2.x always reports an unlimited retention."""
        async with self._request(
            "GET",
            "/api/v2/buckets",
            params={"name": self._settings.database},
            timeout=self._total_timeout(),
        ) as response:
            body = await response.read()
        if response.status in (401, 403):
            raise self._unauthorized(f"{response.status} {error_words(body)}")
        if response.status == 404:
            raise DatabaseMissing
        try:
            found = msgspec.json.decode(body, type=_Buckets).buckets
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self.unavailable(f"{response.status} {error_words(body)}") from error
        if not found:
            raise DatabaseMissing
        return sum(rule.every_s for rule in found[0].rules) or None

    async def close(self) -> None:
        """Close the connections."""
        session, self._opened = self._opened, None
        if session is not None:
            await session.close()

    def unavailable(self, reason: str) -> StoreUnavailable:
        """Return the error for a server that responded with this message."""
        return StoreUnavailable(
            "the database at {url} responded: {reason}. Check its log.",
            url=self.url,
            reason=reason,
        )

    def _unauthorized(self, reason: str) -> AccessRefused:
        self._renew_authorization()
        error = AccessRefused(
            "the database at {url} refuses access ({reason}). Check username and password_file, or "
            "token_file, in [store].",
            url=self.url,
            reason=reason,
        )
        error.is_known = reason.startswith("403")
        return error

    def _decode_chunk(self, status: int, line: bytes) -> influxql.ResponseChunk:
        try:
            answer = influxql.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self.unavailable(f"{status} {error_words(line)}") from error
        if status != 200 and not answer.first_error:
            raise self.unavailable(f"{status} {error_words(line)}")
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
                method,
                self.url + path,
                params=params,
                data=data,
                timeout=timeout,
                headers=self._headers(),
            ) as response:
                # Following a redirect, the client asks with GET, and what answers stored nothing.
                if method == "POST" and any(one.status < 307 for one in response.history):
                    raise self.unavailable(
                        f"{response.history[0].status}, a redirect to {response.url}"
                    )
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise StoreUnavailable(
                "the database at {url} can't be reached: {reason}. "
                "Start it, or correct url in [store].",
                url=self.url,
                reason=str(error) or type(error).__name__,
            ) from error

    def _total_timeout(self) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=self._settings.timeout_s)

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            self._opened = aiohttp.ClientSession()
        return self._opened

    def _headers(self) -> dict[str, str]:
        if self._authorization is None:
            header = (self._credentials or _credentials_of(self._settings)).header
            self._authorization = {"Authorization": header} if header else {}
        return self._authorization

    def _renew_authorization(self) -> None:
        """Read the secrets again after a refusal: a person may have replaced them meanwhile."""
        former, self._authorization = self._authorization, None
        try:
            self._headers()
        except ConfigError:  # the file is being replaced: it is read after the next refusal
            self._authorization = former


def _credentials_of(settings: StoreSettings) -> Credentials:
    return Credentials(
        token=read_secret(settings.token_file, "JIENENG_STORE_TOKEN"),
        username=settings.username,
        password=read_secret(settings.password_file, "JIENENG_STORE_PASSWORD"),
    )


def read_secret(file: str | None, variable: str) -> str | None:
    """Return a secret from its file or, without a file, from an environment variable."""
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
