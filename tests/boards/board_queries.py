"""Run a board's queries over HTTP as Grafana does, with variables, range and interval filled in."""

import json
import math
import re
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Json = dict[str, Any]

_UNITS_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": 31_557_600_000}
#: Steps to which Grafana rounds an interval (`rangeutil.roundInterval`) [ms].
_STEPS_MS = [
    *(10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 20_000, 30_000, 60_000),
    *(120_000, 300_000, 600_000, 900_000, 1_200_000, 1_800_000, 3_600_000, 7_200_000, 10_800_000),
    *(21_600_000, 43_200_000, 86_400_000, 604_800_000, 2_592_000_000, 31_536_000_000),
]
#: Shortest interval of the data source [ms].
_SHORTEST_MS = 10_000
#: Points that Grafana asks for where a panel does not say: about a panel's width in pixels.
_DEFAULT_POINTS = 1200


#: Offset of the simulated site's time zone [ms].
ZONE_MS = 8 * 3_600_000
_EDGES = ("from", "to")


class Range(NamedTuple):
    """A time range [UTC, ms]."""

    start_ms: int
    end_ms: int


class Server(NamedTuple):
    """A database to ask: address, database and headers."""

    url: str
    database: str
    headers: Mapping[str, str] = {}

    def ask(self, query: str) -> list[Json]:
        """Return the series of an InfluxQL query; times are in ms."""
        parameters = urllib.parse.urlencode({"db": self.database, "q": query, "epoch": "ms"})
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self.url}/query?{parameters}", headers=dict(self.headers)
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            (result,) = json.loads(answer.read())["results"]
        if "error" in result:
            raise ValueError(f"{result['error']}: {query}")
        found: list[Json] = result.get("series", [])
        return found


def panels(board: Json) -> Iterator[Json]:
    """Yield the panels of a board that have queries."""
    return (panel for panel in board["panels"] if "targets" in panel)


def time_range(board: Json, panel: Json, now_ms: int) -> Range:
    """Return the range of a panel when its board is opened."""
    if "timeFrom" not in panel:
        return Range(*(_moment(board["time"][edge], now_ms, edge == "to") for edge in _EDGES))
    shift = _length(panel["timeShift"]) if "timeShift" in panel else 0
    return Range(now_ms - _length(panel["timeFrom"]) - shift, now_ms - shift)


def interval_ms(panel: Json, span: Range) -> int:
    """Return Grafana's `$__interval` for a panel."""
    exact = (span.end_ms - span.start_ms) / panel.get("maxDataPoints", _DEFAULT_POINTS)
    nearest = next((step for step in _STEPS_MS if exact <= step * 1.5), _STEPS_MS[-1])
    return max(nearest, _SHORTEST_MS)


def variables(board: Json, server: Server) -> dict[str, str]:
    """Return the values that a board has when it is opened."""
    chosen: dict[str, str] = {}
    for variable in board["templating"]["list"]:
        if variable["type"] == "custom":
            chosen[variable["name"]] = variable["current"]["value"]
        else:
            query = filled_in(variable["query"], chosen)
            values = [row[1] for series in server.ask(query) for row in series["values"]]
            pattern = re.compile(variable["regex"].strip("/"))
            chosen[variable["name"]] = max(value for value in values if pattern.search(value))
    return chosen


def filled_in(
    query: str, chosen: Mapping[str, str], span: Range | None = None, step_ms: int = 0
) -> str:
    """Return a query as Grafana sends it.

    Raises:
        ValueError: a variable of the query has no value.
    """
    bounds = f"time >= {span.start_ms}ms and time <= {span.end_ms}ms" if span else ""
    values = {"timeFilter": bounds, "__interval": f"{step_ms}ms", **chosen}

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if not values.get(name):
            raise ValueError(f"no value for ${name}: {query}")
        return values[name]

    return re.sub(r"\$(?:\{(\w+)[^}]*\}|(\w+))", value, query)


def answers(
    board: Json, panel: Json, server: Server, chosen: Mapping[str, str], now_ms: int
) -> list[tuple[Json, list[Json]]]:
    """Return each target of a panel with its series."""
    span = time_range(board, panel, now_ms)
    step = interval_ms(panel, span)
    return [
        (target, server.ask(filled_in(target["query"], chosen, span, step)))
        for target in panel["targets"]
    ]


def max_points(board: Json, panel: Json, *, series_by_tag: Mapping[str, int]) -> int:
    """Return the greatest number of values that a panel can ask for.

    Args:
        board: the board.
        panel: one of its panels.
        series_by_tag: number of values of each tag that queries group by.
    """
    span = time_range(board, panel, 0)
    length = span.end_ms - span.start_ms
    return sum(
        _max_rows(target["query"], panel, length, series_by_tag) * _columns(target["query"])
        for target in panel["targets"]
    )


def _max_rows(query: str, panel: Json, length: int, series_by_tag: Mapping[str, int]) -> int:
    if limit := re.search(r"LIMIT (\d+)$", query):
        return int(limit[1])
    groups = re.search(r"GROUP BY (.*?)(?: fill| tz|$)", query)
    tags = re.findall(r'"(\w+)"', groups[1]) if groups else []
    series = math.prod(_named(query, tag) or series_by_tag[tag] for tag in tags)
    if "time($__interval)" in query:
        return series * int(panel.get("maxDataPoints", _DEFAULT_POINTS) * 1.5)
    if "time(1d)" in query:
        return series * (math.ceil(length / _UNITS_MS["d"]) + 1)
    if re.search(r"SELECT (last|min|max)\(", query):
        return series
    stored = re.search(r"\"interval\" = '(\w+)'", query)
    lengths = {"15min": 900_000, "hour": 3_600_000}
    every = lengths.get(stored[1] if stored else "day", _UNITS_MS["d"])
    return series * (math.ceil(length / every) + 1)


def _named(query: str, tag: str) -> int:
    """Return how many values of a tag a query names; 0 if it takes them all."""
    found = re.search(rf'"{tag}" =~ /\^\(([^)]*)\)\$/', query)
    return len(found[1].split("|")) if found else 0


def _columns(query: str) -> int:
    return query.split(" FROM ", maxsplit=1)[0].count(",") + 1


def _moment(text: str, now_ms: int, is_end: bool) -> int:
    """Return the moment of `now-30d/d`, where `/d` is the start or the end of its local day."""
    back, _, day = text.removeprefix("now").removeprefix("-").partition("/")
    moment = now_ms - (_length(back) if back else 0)
    if not day:
        return moment
    midnight = moment - (moment + ZONE_MS) % _UNITS_MS["d"]
    return midnight + _UNITS_MS["d"] - 1 if is_end else midnight


def _length(text: str) -> int:
    return int(text[:-1]) * _UNITS_MS[text[-1]]
