"""Control while the simulation runs: a small HTTP interface, on loopback unless told otherwise.

    GET    /                what there is
    GET    /kinds           the kinds of faults, with their keys
    GET    /faults          all faults, also those that are over
    POST   /faults          a fault, as a row of a script; it begins now unless it says when
    DELETE /faults/{id}     end one now
    DELETE /faults          end all
    GET    /meters          what every meter really counted, and what it shows; ?at=ISO8601
    GET    /meters/{id}     of one
    GET    /exchanges       who asked what, and what was served; ?meter=&bus=&limit=

Answers are JSON. A refusal is `{"problems": ["..."]}` with one sentence each.
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
from jieneng.locale import say, translator
from jieneng.metering.errors import ConfigError, Problem, UsageError
from jieneng.observe import serving_http
from simulators.faults import KINDS, FaultsFile
from simulators.faults.fault import NEVER_MS, Fault
from simulators.registers.simulated_meter import Meter
from simulators.scripting.fault_script import Placed, Script
from simulators.serving.simulated_bus import Exchange
from simulators.settings import ControlSettings
from simulators.simulated_site import SimulatedSite

_ROW: Final = "fault"  # where a row that came over HTTP stands
_MOST: Final = 1000  # exchanges in an answer
_DIGITS: Final = 9  # of a number that makes sense
_SHOWN_AS_SPAN: Final = ("start", "after_s", "duration_s")


class Chronicle:
    """The latest exchanges."""

    def __init__(self, most: int) -> None:
        self._latest: deque[Exchange] = deque(maxlen=most)

    def see(self, exchange: Exchange) -> None:
        """One more."""
        self._latest.append(exchange)

    def latest(self, meter: str | None, bus: str | None, limit: int) -> list[Exchange]:
        """The latest of a meter or bus, the latest last."""
        wanted: Iterator[Exchange] = (
            one
            for one in reversed(self._latest)
            if meter in (None, one.meter) and bus in (None, one.bus)
        )
        return [one for one, _ in zip(wanted, range(limit), strict=False)][::-1]


class Control:
    """What may be asked and told."""

    def __init__(
        self, campus: SimulatedSite, script: Script, chronicle: Chronicle, clock: Clock
    ) -> None:
        self._campus = campus
        self._script = script
        self._chronicle = chronicle
        self._clock = clock

    def application(self) -> web.Application:
        """For a web server."""
        application = web.Application(middlewares=[self._refusals])
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
                "site": self._campus.site.id,
                "time": moment(now_ms),
                "meters": len(self._campus.meters),
                "faults": sum(one.on(now_ms) for one in self._script.placed),
                "see": ["/kinds", "/faults", "/meters", "/exchanges"],
            }
        )

    async def _kinds(self, _: web.Request) -> web.Response:
        return _json([kind_row(kind) for kind in KINDS.values()])

    async def _faults(self, _: web.Request) -> web.Response:
        now_ms = self._clock.now_ms()
        return _json([placed_row(one, now_ms) for one in self._script.placed])

    async def _switch_on(self, request: web.Request) -> web.Response:
        try:
            row = msgspec.json.decode(await request.read(), type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise UsageError("a fault is sent as a JSON object: {error}.", error=error) from error
        now_ms = self._clock.now_ms()
        document = toml.Document(_ROW, {"fault": [row]}, {})
        [fault] = toml.decode(document, FaultsFile).fault
        placed = self._script.switch_on(fault, now_ms)
        return _json(placed_row(placed, now_ms), status=201)

    async def _switch_off(self, request: web.Request) -> web.Response:
        return _json(self._end([request.match_info["id"]])[0])

    async def _switch_all_off(self, _: web.Request) -> web.Response:
        now_ms = self._clock.now_ms()
        ending = [
            one.id for one in self._script.placed if one.fault.ends and one.span.end_ms > now_ms
        ]
        return _json(self._end(ending))

    def _end(self, names: Iterable[str]) -> list[dict[str, object]]:
        now_ms = self._clock.now_ms()
        rows = []
        for name in names:
            placed = self._script.switch_off(name, now_ms)
            if placed is None:
                known = ", ".join(one.id for one in self._script.placed) or "-"
                raise _NotFound("there is no fault {id}. Known are: {known}.", id=name, known=known)
            rows.append(placed_row(placed, now_ms))
        return rows

    async def _meters(self, request: web.Request) -> web.Response:
        at_ms = self._moment(request)
        return _json([self._truth(meter, at_ms) for meter in self._campus.meters.values()])

    async def _meter(self, request: web.Request) -> web.Response:
        meter = self._known_meter(request.match_info["id"])
        return _json(self._truth(meter, self._moment(request)))

    async def _exchanges(self, request: web.Request) -> web.Response:
        query = request.query
        limit = query.get("limit", "100")
        if not limit.isdecimal() or len(limit) > _DIGITS:
            raise UsageError("limit = {limit} is no number.", limit=limit[:20])
        meter, bus = query.get("meter"), query.get("bus")
        if meter is not None:
            self._known_meter(meter)
        if bus is not None and bus not in self._campus.site.buses:
            known = ", ".join(self._campus.site.buses)
            raise _NotFound("there is no bus {id}. Known are: {known}.", id=bus, known=known)
        found = self._chronicle.latest(meter, bus, min(int(limit), _MOST))
        return _json([exchange_row(one) for one in found])

    def _known_meter(self, name: str) -> Meter:
        if name not in self._campus.meters:
            known = ", ".join(self._campus.meters)
            raise _NotFound("there is no meter {id}. Known are: {known}.", id=name, known=known)
        return self._campus.meters[name]

    def _moment(self, request: web.Request) -> int:
        text = request.query.get("at")
        if text is None:
            return self._clock.now_ms()
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            at = None
        if at is None or at.tzinfo is None or not 1970 < at.year < 9000:
            raise UsageError(
                "at = {at} is no moment: write it like 2025-06-01T00:00:00+08:00.", at=text
            )
        return round(at.timestamp() * 1000)

    def _truth(self, meter: Meter, at_ms: int) -> dict[str, object]:
        """What is true of a meter at a moment, and what each of its registers says."""
        at = np.asarray([at_ms])
        really, shown = meter.values(at_ms, states=()), meter.values(at_ms)
        return {
            "meter": meter.id,
            "time": moment(at_ms),
            "quantity": meter.counts,
            "flowed": float(meter.load.consumption(at)[0]),
            "rate": float(meter.load.rate(at)[0]),
            "registers": {
                name: {"really": really[name], "shown": value} for name, value in shown.items()
            },
            "faults": [
                one.id for one in self._script.placed if meter.id in one.meters and one.on(at_ms)
            ],
        }

    @web.middleware
    async def _refusals(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """What can't be as asked is said in sentences."""
        try:
            return await handler(request)
        except ConfigError as error:
            problems: Sequence[Problem | UsageError] = error.problems
            status = 400
        except UsageError as error:
            problems, status = [error], 404 if isinstance(error, _NotFound) else 400
        except web.HTTPException as error:
            return _json({"problems": [error.reason]}, error.status)
        language = request.headers.get("Accept-Language", self._campus.site.site.language)
        translate = translator("en" if language.startswith("en") else "zh")
        return _json({"problems": [say(one, translate) for one in problems]}, status)


@asynccontextmanager
async def serving(control: Control, settings: ControlSettings) -> AsyncIterator[str]:
    """Serve it meanwhile; gives its URL.

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


def moment(time_ms: int) -> str:
    """ISO 8601, UTC, to the millisecond."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")


def kind_row(kind: type[Fault]) -> dict[str, object]:
    """A kind: its name, what it is, and its own keys with their defaults."""
    return {
        "kind": kind.kind(),
        "layer": kind.layer,
        "about": (getdoc(kind) or "").split("\n")[0],
        "keys": {
            name: None if default is msgspec.NODEFAULT else default
            for name, default in kind.own_keys().items()
        },
        "links": list(kind.framings),
        "drawn": kind.drawn,
    }


def placed_row(one: Placed, now_ms: int) -> dict[str, object]:
    """A fault, with its time and whether it is under way."""
    given = {
        name: value
        for name, value in msgspec.to_builtins(one.fault).items()
        if value is not None and name not in _SHOWN_AS_SPAN
    }
    return {
        **given,
        "begin": moment(one.span.begin_ms),
        "end": None if one.span.end_ms == NEVER_MS else moment(one.span.end_ms),
        "on": one.on(now_ms),
        "meters": sorted(one.meters),
    }


def exchange_row(one: Exchange) -> dict[str, object]:
    """An exchange, its bytes in hexadecimal."""
    return {
        "time": moment(one.time_ms),
        **{
            name: value
            for name, value in msgspec.structs.asdict(one).items()
            if name not in ("time_ms", "sent")
        },
        "sent": one.sent.hex(" "),
    }


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/json"
    )


class _NotFound(UsageError):
    """What was named is not there."""
