"""Measure how long a board of a site with 1,000 meters waits for its database."""

import random
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final

from grafana import build
from grafana.board_site import BoardSite
from jieneng.locale import translator
from jieneng.metering.site import Area, Bus, Meter, Site, SiteInfo
from jieneng.storage import influxql
from tests.bench.result import Result
from tests.boards.board_queries import Json, Server, answers, panels, variables
from tests.servers import Influx

_METERS: Final = 1000
_AREAS: Final = 20
_NOW_MS: Final = 1_764_832_800_000
_DAY_MS: Final = 86_400_000
_LINES: Final = 20_000


def results() -> Iterator[Result]:
    """All queries of each board, one after the other, on InfluxDB 1.x.

    Consumption by day of 90 days and by hour of 31, readings of a main and all polls at 10 s, and
    a thousand alerts that fire.
    """
    site = _site()
    boards = build.site_boards(BoardSite(site, translator("en")))
    with tempfile.TemporaryDirectory() as folder:
        influx = Influx(Path(folder))
        influx.start()
        server = Server(influx.url, "boards")
        server.ask(influxql.create_database("boards"))
        _write(server, _lines(site))
        for name, board in boards.items():
            taken_s = _seconds(board, server)
            yield Result(bench=f"boards.{name}", value=taken_s, unit="s", bar="<= 2 s")
        influx.stop()


def _seconds(board: Json, server: Server) -> float:
    chosen = variables(board, server)
    begin = time.perf_counter()
    for panel in panels(board):
        answers(board, panel, server, chosen, _NOW_MS)
    return time.perf_counter() - begin


def _site() -> Site:
    meters = [Meter(id="m-0", name="main", medium="electricity", area="a-0", bus="b-0")]
    meters += [
        Meter(
            id=f"m-{number}",
            name=f"Meter {number}",
            medium="electricity",
            area=f"a-{number % _AREAS}",
            bus=f"b-{number % 30}",
            parent="m-0",
        )
        for number in range(1, _METERS)
    ]
    return Site(
        site=SiteInfo(id="bench", name="bench"),
        area=tuple(Area(id=f"a-{number}", name=f"Area {number}") for number in range(_AREAS)),
        bus=tuple(Bus(id=f"b-{number}", agent="agent-1", host="192.0.2.1") for number in range(30)),
        meter=tuple(meters),
    )


def _lines(site: Site) -> Iterator[str]:
    midnight = _NOW_MS - (_NOW_MS + 8 * 3_600_000) % _DAY_MS
    yield from _consumption(site, midnight)
    yield from _readings(site)
    yield from _indicators(site, midnight)
    yield from _alerts(site)


def _consumption(site: Site, midnight: int) -> Iterator[str]:
    rng = random.Random(1)
    series = [("meter", meter.id) for meter in site.meter]
    series += [("area", area.id) for area in site.area] + [("site", site.id), ("rest", "m-0")]
    for interval, step, count in (("day", _DAY_MS, 90), ("hour", 3_600_000, 31 * 24)):
        for kind, scope in series:
            tags = f"site=bench,kind={kind},scope={scope},medium=electricity,interval={interval}"
            for number in range(count):
                at = midnight - number * step
                fields = f"energy_kwh={rng.random()},coverage={float(rng.random() < 0.98)}"
                yield f"consumption,{tags} {fields},estimated=0 {at}"


def _readings(site: Site) -> Iterator[str]:
    rng = random.Random(2)
    for number in range(6 * 60 * 24 * 7):
        at = _NOW_MS - number * 10_000
        tags = "site=bench,meter=m-0"
        yield f"electricity,{tags} power_kw={rng.random()},energy_kwh={number} {at}"
    for meter in site.meter:
        for number in range(360):
            at = _NOW_MS - number * 10_000
            yield f"poll,site=bench,meter={meter.id} ok=1,duration_s=0.1,attempts=1 {at}"


def _indicators(site: Site, midnight: int) -> Iterator[str]:
    names = ("energy_per_floor_area", "energy_per_capita", "electricity", "energy_total")
    ids = ("2024", "2025", *(f"2025-{month:02}" for month in range(1, 13)))
    for scope, name, period in product([site.id, *(area.id for area in site.area)], names, ids):
        tags = f"site=bench,scope={scope},indicator={name},period={period},series=-"
        for number in range(60):
            at = midnight - number * _DAY_MS
            yield f'indicator,{tags} value=1,baseline=1,coverage=1,status="met" {at}'


def _alerts(site: Site) -> Iterator[str]:
    """Yield a thousand alerts that fire, a month of episodes, and rounds of a week."""
    rng = random.Random(3)
    for meter in site.meter:
        tags = (
            f"site=bench,rule=meter-silent,signal=reading_age,subject={meter.id},severity=warning"
        )
        fields = "phase=2,value=3300,limit=1800,peak=3400,since_ms=1,acknowledged=0"
        for minutes in range(120):
            yield f"alert,{tags} {fields},silenced=0,caused=0 {_NOW_MS - minutes * 60_000}"
        for _ in range(10):
            at = _NOW_MS - rng.randrange(30 * _DAY_MS)
            fields = "lasted_s=600,peak=3,limit=2,end=1"
            yield f"alert_episode,{tags} {fields},ended_ms={at + 600_000} {at}"
    for number in range(6 * 60 * 24 * 7):
        fields = "holder=1,watched=10000,firing=1000,duration_s=0.1"
        yield f"alert_round,site=bench,copy=a {fields} {_NOW_MS - number * 10_000}"


def _write(server: Server, lines: Iterator[str]) -> None:
    waiting: list[str] = []
    for line in lines:
        waiting.append(line)
        if len(waiting) >= _LINES:
            _post(server, waiting)
            waiting = []
    _post(server, waiting)


def _post(server: Server, lines: list[str]) -> None:
    url = f"{server.url}/write?db={server.database}&precision=ms"
    body = "\n".join(lines).encode()
    with urllib.request.urlopen(url, data=body, timeout=60) as answer:  # noqa: S310 - loopback
        answer.read()
