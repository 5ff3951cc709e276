"""Logs and metrics of a service, set up once. Log lines and metric names are English.

A log line is one JSON object, or coloured text on a terminal. Metrics are the service's own
`CollectorRegistry`, served as `/metrics` for Prometheus; several services in one process do not
share one.
"""

import logging
import math
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Final, TextIO, cast

import msgspec
import structlog
from msgspec import Meta
from prometheus_client import CollectorRegistry, exposition

from jieneng.metering.errors import UsageError

if TYPE_CHECKING:  # aiohttp takes 10 MB, and an agent on a small box may serve nothing
    from aiohttp import web

Log = structlog.stdlib.BoundLogger

_SOON_S: Final = 3600.0  # a fault that comes back within this lingers ...
_CALM_S: Final = 900.0  # ... until it has stayed away for this


def set_up_logs(level: str = "info", *, json: bool | None = None) -> None:
    """Set up the process's logs, on standard error.

    Args:
        level: debug, info, warning or error.
        json: one JSON object a line; where None, text on a terminal and JSON elsewhere.
    """
    as_json = not sys.stderr.isatty() if json is None else json
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _Lossy(sys.stderr))),
        cache_logger_on_first_use=False,
    )
    # Libraries log through the standard library; only what is wrong there is ours to show.
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s"
    )


class _Lossy:
    """A file on which a line that can't be written is lost, so that saying it ends nobody.

    What is worst to say, that the disk is full, is said on the very disk that is full.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._file.flush()


def log(service: str) -> Log:
    """The logger of a service or of a room in it."""
    return structlog.get_logger(service=service)  # type: ignore[no-any-return]  # structlog types it as Any


def timeless() -> float:
    """The clock of a fault that is given none: nothing is soon after another."""
    return math.nan


class LoggedFault:
    """A condition that can be wrong for a while: logged once at its begin and once at its end.

    Where a clock is given, one that comes back soon after it was over has not ended until it has
    stayed away for a while: a cable that loses answers now and then fills no log.

    Attributes:
        times: that it has happened; 0 where it is over.
    """

    __slots__ = (
        "_after",
        "_context",
        "_last_s",
        "_lingers",
        "_log",
        "_name",
        "_now_s",
        "_over_s",
        "times",
    )

    def __init__(
        self,
        log: Log,
        name: str,
        *,
        after: int = 1,
        now_s: Callable[[], float] = timeless,
        **context: object,
    ) -> None:
        """Name it, as in `store unavailable`; its end is said as `<name>: over`.

        Args:
            log: where it is said.
            name: of the fault.
            after: how often in a row it has to happen to be one.
            now_s: a monotonic clock; without one, each end is said.
            context: what is to stand in both lines.
        """
        self._log = log
        self._name = name
        self._after = after
        self._now_s = now_s
        self._context = context
        self._last_s = -math.inf  # when it happened
        self._over_s = -math.inf  # when it was over, and that was said
        self._lingers = False  # it came back soon
        self.times = 0

    def happened(self, reason: object, **evidence: object) -> None:
        """Record an occurrence of the fault."""
        self.times += 1
        self._last_s = self._now_s()
        if self.times == self._after:
            self._lingers = self._last_s - self._over_s < _SOON_S
            self._log.warning(self._name, reason=str(reason), **self._context, **evidence)

    def over(self) -> None:
        """Record that the fault is absent."""
        if not (self._lingers and self._now_s() < self._last_s + _CALM_S):
            self.end()

    def end(self, **why: object) -> None:
        """End the fault at once, however often it came back."""
        if self.times >= self._after:
            self._log.info(f"{self._name}: over", times=self.times, **self._context, **why)
            self._over_s = self._now_s()
        self.times, self._lingers = 0, False


class MetricsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[metrics]` of every service's file.

    Attributes:
        port: where `/metrics` and `/health` are served; not at all where omitted, on any free
            one where 0.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] | None = None


@asynccontextmanager
async def serving_metrics(
    settings: MetricsSettings, registry: CollectorRegistry, log: Log
) -> AsyncIterator[None]:
    """Serve `/metrics` and `/health` meanwhile, where that is wanted.

    Raises:
        UsageError: the port is taken.
    """
    if settings.port is None:
        yield
        return
    async with serving_http(
        _application(registry),
        settings.host,
        settings.port,
        "metrics can't be served on {host}:{port}: {error}.",
    ) as port:
        log.info("metrics are served", host=settings.host, port=port)
        yield


@asynccontextmanager
async def serving_http(
    application: "web.Application", host: str, port: int, refusal: str
) -> AsyncIterator[int]:
    """Serve an application meanwhile; gives its port, which is a free one for 0.

    Args:
        application: what is served.
        host: where.
        port: where.
        refusal: the sentence of the error, with places for host, port and error.

    Raises:
        UsageError: the port is taken.
    """
    from aiohttp import web

    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise UsageError(refusal, host=host, port=port, error=error.strerror) from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _application(registry: CollectorRegistry) -> "web.Application":
    from aiohttp import web

    async def metrics(_: web.Request) -> web.Response:
        body = exposition.generate_latest(registry)
        return web.Response(body=body, headers={"Content-Type": exposition.CONTENT_TYPE_LATEST})

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    application = web.Application()
    application.add_routes([web.get("/metrics", metrics), web.get("/health", health)])
    return application
