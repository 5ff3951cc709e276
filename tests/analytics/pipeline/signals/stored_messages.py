"""Points of meters and agents as the ingest writes them, and a site that has them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from analytics.alerts.alert_rule import AlertRule, AlertRules
from analytics.calendar.working_calendar import WorkingCalendar
from analytics.pipeline.signals.signal_reader import SignalReader
from jieneng.metering import schema
from jieneng.metering.errors import StoreUnavailable
from jieneng.metering.reading import PollReport, Sample
from jieneng.metering.schema import Point
from jieneng.site_folder import SiteFolder
from jieneng.storage import Series, Store, StoreSettings, Where
from jieneng.storage.sqlite import SqliteStore
from tests.analytics import sites

#: 2025-06-04T08:00+08:00, a Wednesday.
BEGIN_MS = 1_748_995_200_000

AREAS = """
[[area]]
id = "block"
name = "block"

[[bus]]
id = "bus-a"
agent = "agent-1"
host = "192.0.2.1"

[[bus]]
id = "bus-b"
agent = "agent-2"
host = "192.0.2.2"
"""


def meter_row(name: str, bus: str = "bus-a", **keys: object) -> str:
    """Return a meter of `site.toml`."""
    given = {"interval_s": 10, "rated_max": 100.0, "model": "acrel-dtsd1352", **keys}
    medium = given.pop("medium", "electricity")
    lines = "\n".join(
        f"{key} = {value!r}".replace("'", '"') for key, value in given.items() if value is not None
    )
    return f"""
[[meter]]
id = "{name}"
name = "{name}"
medium = "{medium}"
area = "block"
bus = "{bus}"
{lines}
"""


def site_folder(path: Path, *meters: str) -> SiteFolder:
    """Return a site with these meters."""
    rows = [row + f"unit = {number}\n" for number, row in enumerate(meters, 1)]
    return sites.folder(path, AREAS + "".join(rows))


def at(seconds: float) -> int:
    """Return the time some seconds after the start [UTC, ms]."""
    return BEGIN_MS + round(seconds * 1000)


def readings(
    meter: str, values: Iterable[tuple[float, float]], quantity: str = "power_kw"
) -> list[Point]:
    """Return the points of readings (time after the start [s], value) of an electricity meter."""
    points = [
        schema.reading_point(
            "centre", "electricity", Sample(meter, at(seconds), 0, (quantity,), (value,))
        )
        for seconds, value in values
    ]
    return [point for point in points if point is not None]


def polls(meter: str, results: Iterable[tuple[float, bool]]) -> list[Point]:
    """Return the points of polls (time after the start [s], answered) of a meter."""
    return [
        schema.poll_point("centre", PollReport(meter, at(seconds), ok, 50, 1))
        for seconds, ok in results
    ]


def agent_state(agent: str, seconds: float, **fields: float) -> Point:
    """Return the point of a status of an agent."""
    point = schema.point(
        schema.AGENT, {"site": "centre", "agent": agent}, {"online": 1.0, **fields}, at(seconds)
    )
    assert point is not None
    return point


def reader(folder: SiteFolder, store: Store, *rules: AlertRule, since_ms: int = 0) -> SignalReader:
    """Return a reader of some rules."""
    made = AlertRules(rules=rules)
    calendar = WorkingCalendar(made.hours, folder.site.zone)
    return SignalReader(folder, store, made, calendar, since_ms)


class CountingStore(SqliteStore):
    """An embedded store that notes its queries, and fails on demand."""

    def __init__(self, path: Path) -> None:
        super().__init__(path / StoreSettings().path)
        self.queries: list[tuple[str, str]] = []
        self.fails = False

    async def read(
        self,
        measurement: str,
        field: str,
        *,
        where: Where,
        start_ms: int,
        end_ms: int,
    ) -> list[Series]:
        if self.fails:
            raise StoreUnavailable("the store is down")
        self.queries.append((measurement, field))
        return await super().read(measurement, field, where=where, start_ms=start_ms, end_ms=end_ms)


def names(queries: Sequence[tuple[str, str]]) -> list[str]:
    """Return queries as text, sorted."""
    return sorted(".".join(query) for query in queries)
