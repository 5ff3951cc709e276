"""Logs and metrics of a service, set up once. Log lines and metric names are English.

A log line is one JSON object, or coloured text on a terminal. Metrics are the service's own
`CollectorRegistry`, served as `/metrics` for Prometheus; several services in one process do not
share one.
"""

import logging
import sys

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, exposition

Log = structlog.stdlib.BoundLogger


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
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    # Libraries log through the standard library; only what is wrong there is ours to show.
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s"
    )


def log(service: str) -> Log:
    """The logger of a service or of a room in it."""
    return structlog.get_logger(service=service)  # type: ignore[no-any-return]  # structlog types it as Any


class Fault:
    """One thing that can be wrong for a while: said once when it begins and once when it ends."""

    def __init__(self, log: Log, name: str, **context: object) -> None:
        """Name it, as in `store unavailable`; its end is said as `<name>: over`.

        Args:
            log: where it is said.
            name: of the fault.
            context: what is to stand in both lines.
        """
        self._log = log
        self._name = name
        self._context = context
        self.times = 0

    def happened(self, reason: object, **evidence: object) -> None:
        """It is so, again."""
        self.times += 1
        if self.times == 1:
            self._log.warning(self._name, reason=str(reason), **self._context, **evidence)

    def over(self) -> None:
        """It is not, or no longer."""
        if self.times:
            self._log.info(f"{self._name}: over", times=self.times, **self._context)
        self.times = 0


async def serve_metrics(registry: CollectorRegistry, host: str, port: int) -> web.AppRunner:
    """Serve `/metrics` and `/health` until the returned runner's `cleanup()`.

    Raises:
        OSError: the port is taken.
    """

    async def metrics(_: web.Request) -> web.Response:
        body = exposition.generate_latest(registry)
        return web.Response(body=body, headers={"Content-Type": exposition.CONTENT_TYPE_LATEST})

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    application = web.Application()
    application.add_routes([web.get("/metrics", metrics), web.get("/health", health)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner


def port_of(runner: web.AppRunner) -> int:
    """The port that a runner listens on, for port 0."""
    return int(runner.addresses[0][1])
