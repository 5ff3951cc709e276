"""Set up the logs and the metrics of a service. Log lines and metric names are English.

A log line is one JSON object, or coloured text on a terminal. Each service has its own
`CollectorRegistry` of metrics, even if several services run in one process. It is served as
`/metrics` for Prometheus.
"""

import logging
import math
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, TextIO, cast

import msgspec
from msgspec import Meta
from prometheus_client import CollectorRegistry, exposition

from jieneng.lean_structlog import structlog
from jieneng.metering.errors import Msgid, UsageError
from jieneng.metering.site import Host

if TYPE_CHECKING:  # aiohttp takes 10 MB, and an agent on a small box may serve nothing
    from aiohttp import web

Log = structlog.stdlib.BoundLogger

_SOON_S: Final = 3600.0  # a fault is lingering if it recurs within this time after its end
_CALM_S: Final = 900.0  # a lingering fault ends if it does not occur for this time


def set_up_logs(level: str = "info", *, json: bool | None = None) -> None:
    """Set up the process's logs, on standard error.

    Args:
        level: debug, info, warning or error.
        json: True for one JSON object a line; None for text on a terminal and JSON elsewhere.
    """
    as_json = not sys.stderr.isatty() if json is None else json
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
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
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _LossyStream(sys.stderr))),
        cache_logger_on_first_use=False,
    )
    # Other libraries use the logging of the standard library; only their warnings and errors are
    # shown.
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s"
    )


class _LossyStream:
    """A text stream that drops lines that can't be written, so that the service continues.

    This matters if the log is on a disk that is full.
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
    """Return the logger of a service, or of a part of it."""
    return structlog.get_logger(service=service)  # type: ignore[no-any-return]  # structlog types it as Any


def no_clock() -> float:
    """Return NaN: a clock for faults that never become lingering."""
    return math.nan


class LoggedFault:
    """A condition that lasts for a while, logged once when it begins and once when it ends.

    If a clock is given, a fault that recurs within an hour after its end is lingering: it ends only
    after a quarter of an hour without an occurrence. So a cable that loses some replies does not
    fill the log.

    Attributes:
        level: level of the line that reports the start of the fault.
        occurrences: number of occurrences since the fault began; 0 while it is absent.
    """

    level: ClassVar[str] = "warning"

    __slots__ = (
        "_after",
        "_context",
        "_ended_s",
        "_last_s",
        "_lingers",
        "_log",
        "_name",
        "_now_s",
        "occurrences",
    )

    def __init__(
        self,
        log: Log,
        name: str,
        *,
        after: int = 1,
        now_s: Callable[[], float] = no_clock,
        **context: object,
    ) -> None:
        """Create a fault that is absent.

        Args:
            log: logger of both log lines.
            name: event of the log line at the start, such as `store unavailable`. The event at the
                end is `<name>: over`.
            after: number of occurrences in a row after which the fault is logged.
            now_s: a monotonic clock; without a clock, the fault is never lingering.
            context: fields of both log lines.
        """
        self._log = log
        self._name = name
        self._after = after
        self._now_s = now_s
        self._context = context
        self._last_s = -math.inf  # time of the last occurrence
        self._ended_s = -math.inf  # time of the last reported end
        self._lingers = False  # True if it recurred soon after an end
        self.occurrences = 0

    def report(self, reason: object, **evidence: object) -> None:
        """Report an occurrence of the fault; it is logged if it has just begun."""
        self.occurrences += 1
        self._last_s = self._now_s()
        if self.occurrences == self._after:
            self._lingers = self._last_s - self._ended_s < _SOON_S
            line = getattr(self._log, self.level)
            line(self._name, reason=str(reason), **self._context, **evidence)

    def clear(self) -> None:
        """Report that the fault is absent; its end is logged if it was there."""
        if not (self._lingers and self._now_s() < self._last_s + _CALM_S):
            self.end()

    def end(self, **why: object) -> None:
        """End the fault at once, however often it came back."""
        if self.occurrences >= self._after:
            self._log.info(f"{self._name}: over", times=self.occurrences, **self._context, **why)
            self._ended_s = self._now_s()
        self.occurrences, self._lingers = 0, False


class SevereFault(LoggedFault):
    """A `LoggedFault` that ends only when a person fixes the cause."""

    level: ClassVar[str] = "error"

    __slots__ = ()


class MetricsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[metrics]` of every service's file.

    Attributes:
        host: address on which the metrics are served.
        port: port of `/metrics` and `/health`; 0 for any free port. If omitted, nothing is served.
    """

    host: Host = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] | None = None


@asynccontextmanager
async def serving_metrics(
    settings: MetricsSettings,
    registry: CollectorRegistry,
    log: Log,
    faults: Callable[[], Sequence[str]] = tuple,
) -> AsyncIterator[None]:
    """Serve `/metrics` and `/health` inside the block, if the settings name a port.

    Args:
        settings: address and port.
        registry: the service's metrics.
        log: logger of the service.
        faults: returns the present faults that a person has to fix, in sentences. `/health` reports
            ok if there are none.

    Raises:
        UsageError: the port is taken.
    """
    if settings.port is None:
        yield
        return
    async with serving_http(
        _application(registry, faults),
        settings.host,
        settings.port,
        "metrics can't be served on {host}:{port}: {error}.",
    ) as port:
        log.info("metrics are served", host=settings.host, port=port)
        yield


@asynccontextmanager
async def serving_http(
    application: "web.Application", host: str, port: int, refusal: Msgid
) -> AsyncIterator[int]:
    """Serve an application inside the block; yield its port, a free one if `port` is 0.

    Args:
        application: the application.
        host: address to listen on.
        port: port to listen on.
        refusal: sentence of the error, with placeholders for host, port and error.

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


def _application(
    registry: CollectorRegistry, faults: Callable[[], Sequence[str]]
) -> "web.Application":
    from aiohttp import web

    async def metrics(_: web.Request) -> web.Response:
        body = exposition.generate_latest(registry)
        return web.Response(body=body, headers={"Content-Type": exposition.CONTENT_TYPE_LATEST})

    async def health(_: web.Request) -> web.Response:
        found = list(faults())
        return web.json_response({"ok": False, "faults": found} if found else {"ok": True})

    application = web.Application()
    application.add_routes([web.get("/metrics", metrics), web.get("/health", health)])
    return application
