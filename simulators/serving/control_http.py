"""Control a running simulation over HTTP; on loopback unless `[control]` says otherwise.

    GET    /                site, time and counts
    GET    /kinds           the kinds of faults, with their keys
    GET    /faults          all faults, including those that have ended
    POST   /faults          add a fault: a `[[fault]]` row as JSON; by default it begins now
    DELETE /faults/{id}     end one fault now
    DELETE /faults          end all faults
    GET    /meters          each meter's true consumption and its registers; ?at=ISO8601
    GET    /meters/{id}     the same for one meter
    GET    /exchanges       requests and the replies to them; ?meter=&bus=&limit=

Answers are JSON. The answer to a refused request is `{"problems": ["..."]}`: one sentence for each
problem.
"""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from inspect import getdoc
from typing import Any, Final

import msgspec
import numpy as np
from aiohttp import web

from jieneng import config_file as toml
from jieneng.clock import Clock
from jieneng.locale import known_language, say, translator
from jieneng.metering.errors import ConfigError, Problem, UsageError
from jieneng.observe import serving_http
from simulators.faults import KINDS, FaultsFile
from simulators.faults.fault import NEVER_MS, Fault
from simulators.protocols import PROTOCOLS
from simulators.registers.simulated_meter import SimulatedMeter
from simulators.scripting.fault_script import FaultScript, PlacedFault
from simulators.serving.simulated_bus import ExchangeRecord
from simulators.settings import ControlSettings
from simulators.simulated_site import SimulatedSite

_DOCUMENT: Final = "fault"  # file name in problems about a row that was sent over HTTP
_MAX_EXCHANGES: Final = 1000  # most exchanges in one answer
_MAX_DIGITS: Final = 9  # most digits of `limit`
_SHOWN_AS_SPAN: Final = ("start", "after_s", "duration_s")


class ExchangeLog:
    """The latest exchanges, up to a fixed number."""

    def __init__(self, max_exchanges: int) -> None:
        self._latest: deque[ExchangeRecord] = deque(maxlen=max_exchanges)

    def add(self, exchange: ExchangeRecord) -> None:
        """Add an exchange. If the log is full, the oldest exchange is removed."""
        self._latest.append(exchange)

    def latest(self, meter: str | None, bus: str | None, limit: int) -> list[ExchangeRecord]:
        """Return the latest exchanges, in order of time.

        Args:
            meter: id of the meter; None for all meters.
            bus: id of the bus; None for all buses.
            limit: largest number of exchanges to return.
        """
        wanted: Iterator[ExchangeRecord] = (
            exchange
            for exchange in reversed(self._latest)
            if meter in (None, exchange.meter) and bus in (None, exchange.bus)
        )
        return [exchange for exchange, _ in zip(wanted, range(limit), strict=False)][::-1]


class SimulatorControl:
    """The HTTP handlers of one running simulation."""

    def __init__(
        self, simulated: SimulatedSite, script: FaultScript, exchanges: ExchangeLog, clock: Clock
    ) -> None:
        self._simulated = simulated
        self._script = script
        self._exchange_log = exchanges
        self._clock = clock

    def application(self) -> web.Application:
        """Return the application for a web server."""
        application = web.Application(middlewares=[self._answer_errors])
        application.add_routes(
            [
                web.get("/", self._overview),
                web.get("/kinds", self._kinds),
                web.get("/faults", self._faults),
                web.post("/faults", self._switch_on),
                web.delete("/faults", self._switch_all_off),
                web.delete("/faults/{id}", self._switch_off),
                web.get("/meters", self._meters),
                web.get("/meters/{id}", self._meter),
                web.get("/exchanges", self._exchanges),
            ]
        )
        return application

    async def _overview(self, _: web.Request) -> web.Response:
        now_ms = self._clock.now_ms()
        return _json(
            {
                "site": self._simulated.site.id,
                "time": utc_text(now_ms),
                "meters": len(self._simulated.meters),
                "faults": sum(placed.is_active(now_ms) for placed in self._script.placed),
                "see": ["/kinds", "/faults", "/meters", "/exchanges"],
            }
        )

    async def _kinds(self, _: web.Request) -> web.Response:
        return _json([kind_row(kind) for kind in KINDS.values()])

    async def _faults(self, _: web.Request) -> web.Response:
        now_ms = self._clock.now_ms()
        return _json([placed_row(placed, now_ms) for placed in self._script.placed])

    async def _switch_on(self, request: web.Request) -> web.Response:
        try:
            row = msgspec.json.decode(await request.read(), type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise UsageError("the body is not a JSON object: {error}.", error=error) from error
        now_ms = self._clock.now_ms()
        document = toml.Document(_DOCUMENT, {"fault": [row]}, {})
        [fault] = toml.decode(document, FaultsFile).fault
        placed = self._script.switch_on(fault, now_ms)
        return _json(placed_row(placed, now_ms), status=201)

    async def _switch_off(self, request: web.Request) -> web.Response:
        return _json(self._end([request.match_info["id"]])[0])

    async def _switch_all_off(self, _: web.Request) -> web.Response:
        now_ms = self._clock.now_ms()
        active = [
            placed.id
            for placed in self._script.placed
            if placed.fault.can_end and placed.span.end_ms > now_ms
        ]
        return _json(self._end(active))

    def _end(self, fault_ids: Iterable[str]) -> list[dict[str, object]]:
        now_ms = self._clock.now_ms()
        rows = []
        for fault_id in fault_ids:
            placed = self._script.switch_off(fault_id, now_ms)
            if placed is None:
                known = ", ".join(placed.id for placed in self._script.placed) or "-"
                raise _NotFound(
                    "there is no fault {id}. Known are: {known}.", id=fault_id, known=known
                )
            rows.append(placed_row(placed, now_ms))
        return rows

    async def _meters(self, request: web.Request) -> web.Response:
        at_ms = self._requested_time_ms(request)
        return _json([self._truth(meter, at_ms) for meter in self._simulated.meters.values()])

    async def _meter(self, request: web.Request) -> web.Response:
        meter = self._known_meter(request.match_info["id"])
        return _json(self._truth(meter, self._requested_time_ms(request)))

    async def _exchanges(self, request: web.Request) -> web.Response:
        query = request.query
        limit = query.get("limit", "100")
        if not limit.isdecimal() or len(limit) > _MAX_DIGITS:
            raise UsageError("limit = {limit} is not a number.", limit=limit[:20])
        meter, bus = query.get("meter"), query.get("bus")
        if meter is not None:
            self._known_meter(meter)
        if bus is not None and bus not in self._simulated.site.buses:
            known = ", ".join(self._simulated.site.buses)
            raise _NotFound("there is no bus {id}. Known are: {known}.", id=bus, known=known)
        found = self._exchange_log.latest(meter, bus, min(int(limit), _MAX_EXCHANGES))
        return _json([exchange_row(exchange) for exchange in found])

    def _known_meter(self, name: str) -> SimulatedMeter:
        if name not in self._simulated.meters:
            known = ", ".join(self._simulated.meters)
            raise _NotFound("there is no meter {id}. Known are: {known}.", id=name, known=known)
        return self._simulated.meters[name]

    def _requested_time_ms(self, request: web.Request) -> int:
        text = request.query.get("at")
        if text is None:
            return self._clock.now_ms()
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            at = None
        if at is None or at.tzinfo is None or not 1970 < at.year < 9000:
            raise UsageError(
                "at = {at} is not a time: write it like 2025-06-01T00:00:00+08:00.", at=text
            )
        return round(at.timestamp() * 1000)

    def _truth(self, meter: SimulatedMeter, at_ms: int) -> dict[str, object]:
        """Return a meter's true consumption, and its registers with and without faults."""
        at = np.asarray([at_ms])
        true_values, shown = meter.values(at_ms, states=()), meter.values(at_ms)
        return {
            "meter": meter.id,
            "time": utc_text(at_ms),
            "quantity": meter.counter_quantity,
            "flowed": float(meter.load.consumption(at)[0]),
            "rate": float(meter.load.rate(at)[0]),
            "registers": {
                name: {"really": true_values[name], "shown": value} for name, value in shown.items()
            },
            "faults": [
                placed.id
                for placed in self._script.placed
                if meter.id in placed.meters and placed.is_active(at_ms)
            ],
        }

    @web.middleware
    async def _answer_errors(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Turn the errors of a handler into a JSON answer in the reader's language."""
        try:
            return await handler(request)
        except ConfigError as error:
            problems: Sequence[Problem | UsageError] = error.problems
            status = 400
        except UsageError as error:
            problems, status = [error], 404 if isinstance(error, _NotFound) else 400
        except web.HTTPException as error:
            return _json({"problems": [error.reason]}, error.status)
        site_language = self._simulated.site.site.language
        wanted = request.headers.get("Accept-Language", site_language)
        translate = translator(known_language(wanted) or site_language)
        return _json({"problems": [say(problem, translate) for problem in problems]}, status)


@asynccontextmanager
async def serving(control: SimulatorControl, settings: ControlSettings) -> AsyncIterator[str]:
    """Serve the control while the context is open. Yields its URL.

    Raises:
        UsageError: the port is taken.
    """
    async with serving_http(
        control.application(),
        settings.host,
        settings.port,
        "the simulator's control can't be served on {host}:{port}: {error}.",
    ) as port:
        yield f"http://{settings.host}:{port}"


# --- rows ---------------------------------------------------------------------------------------


def utc_text(time_ms: int) -> str:
    """Return a time in ISO 8601, UTC, to the millisecond."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")


def kind_row(kind: type[Fault]) -> dict[str, object]:
    """Return a fault kind's name, description, and own keys with their defaults."""
    return {
        "kind": kind.kind(),
        "layer": kind.layer,
        "about": (getdoc(kind) or "").split("\n")[0],
        "keys": {
            name: None if default is msgspec.NODEFAULT else default
            for name, default in kind.own_keys().items()
        },
        "links": list(kind.links),
        "protocols": list(kind.protocols or PROTOCOLS),
        "drawn": kind.is_random,
    }


def placed_row(placed: PlacedFault, now_ms: int) -> dict[str, object]:
    """Return a fault with its start, its end, and whether it is active now."""
    given = {
        name: value
        for name, value in msgspec.to_builtins(placed.fault).items()
        if value is not None and name not in _SHOWN_AS_SPAN
    }
    return {
        **given,
        "begin": utc_text(placed.span.begin_ms),
        "end": None if placed.span.end_ms == NEVER_MS else utc_text(placed.span.end_ms),
        "on": placed.is_active(now_ms),
        "meters": sorted(placed.meters),
    }


def exchange_row(exchange: ExchangeRecord) -> dict[str, object]:
    """Return an exchange with its bytes in hexadecimal."""
    return {
        "time": utc_text(exchange.time_ms),
        "bus": exchange.bus,
        "meter": exchange.meter,
        "peer": exchange.peer,
        **exchange.request.fields,
        "verdict": exchange.verdict,
        "faults": exchange.faults,
        "value": exchange.value,
        "register": exchange.register,
        "sent": exchange.sent.hex(" "),
    }


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/json"
    )


class _NotFound(UsageError):
    """A fault, meter or bus that does not exist."""
