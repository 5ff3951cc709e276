"""Live rounds of 1,000 meters and ten rules on the embedded store."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from analytics.alerts.alert import Alert
from analytics.alerts.alert_rule import AlertRule, AlertRules
from analytics.alerts.evaluation import advance
from analytics.alerts.planning.notice_plan import NoticePlanner
from analytics.calendar.working_calendar import WorkingCalendar
from analytics.pipeline.signals.signal_reader import SignalReader
from jieneng.metering import schema
from jieneng.metering.reading import PollReport, Sample
from jieneng.metering.schema import Point
from jieneng.storage import Series, Store, StoreSettings, Where
from jieneng.storage.sqlite import SqliteStore
from tests.bench.alerts.alert_site import NOW_MS, alert_site, opened

_METERS: Final = 1_000
_ROUNDS: Final = 30
_EVERY_S: Final = 10
_QUANTITIES: Final = ("energy_kwh", "power_kw", "power_factor", "voltage_a_v")

_RULES: Final = (
    AlertRule(id="power", signal="quantity", quantity="power_kw", above=90.0, for_s=300.0),
    AlertRule(id="voltage", signal="quantity", quantity="voltage_a_v", below=172.0, for_s=300.0),
    AlertRule(id="factor", signal="quantity", quantity="power_factor", below=0.85, for_s=3600.0),
    AlertRule(id="jump", signal="rate", quantity="power_kw", above=5000.0),
    AlertRule(id="silent", signal="reading_age", above=1800.0),
    AlertRule(id="bus", signal="failed_polls", above=90.0, for_s=300.0),
    AlertRule(id="agent", signal="agent_age", above=180.0),
    AlertRule(id="spool", signal="spool_age", above=900.0),
    AlertRule(id="unusual", signal="deviation", above=2.5, for_s=10_800.0),
    AlertRule(id="idle", signal="idle_load", above=70.0, for_s=7200.0),
)


class _TimedStore(SqliteStore):
    """The embedded store, with the CPU time of its reads."""

    cpu_s = 0.0

    async def read(
        self,
        measurement: str,
        field: str,
        *,
        where: Where,
        start_ms: int,
        end_ms: int,
    ) -> list[Series]:
        begin = time.process_time()
        found = await super().read(
            measurement, field, where=where, start_ms=start_ms, end_ms=end_ms
        )
        self.cpu_s += time.process_time() - begin
        return found


async def live_times(folder: Path) -> tuple[float, float]:
    """Return the CPU time of evaluation and of the store, a minute each [s]."""
    site = alert_site(folder, _METERS, "electricity", "acrel-dtsd1352", _EVERY_S)
    store = _TimedStore(folder / StoreSettings().path)
    async with opened(store):
        await _write_hours(store)
        rules = AlertRules(rules=_RULES)
        calendar = WorkingCalendar(rules.hours, site.site.zone)
        reader = SignalReader(site, store, rules, calendar)
        planner = NoticePlanner(rules, site.site, calendar)
        alerts: dict[str, Alert] = {}
        total_s = 0.0
        for number in range(-30, _ROUNDS):
            now_ms = NOW_MS + number * _EVERY_S * 1000
            await _write_round(store, now_ms)
            if number == 0:
                total_s = store.cpu_s = 0.0
            begin_s = time.process_time()
            alerts = await _round(reader, planner, alerts, now_ms)
            total_s += time.process_time() - begin_s
    minutes = _ROUNDS * _EVERY_S / 60
    return (total_s - store.cpu_s) / minutes, store.cpu_s / minutes


async def _round(
    reader: SignalReader, planner: NoticePlanner, alerts: Mapping[str, Alert], now_ms: int
) -> dict[str, Alert]:
    """Evaluate all rules as the service does, and return the alerts."""
    of_rules: dict[str, dict[str, Alert]] = {}
    for alert in alerts.values():
        of_rules.setdefault(alert.rule, {})[alert.subject] = alert
    by_id = {rule.id: rule for rule in _RULES}
    after, episodes = dict(alerts), list[Alert]()
    for rule_id, values in (await reader.read(now_ms)).items():
        evaluation = advance(by_id[rule_id], of_rules.get(rule_id, {}), values)
        after.update((alert.key, alert) for alert in evaluation.alerts.values())
        episodes += evaluation.episodes
    _, known = planner.plan(alerts, after, (), now_ms, episodes)
    return known


async def _write_hours(store: Store) -> None:
    """Write the hours of the 31 days before, of all meters and their area."""
    hours = range(NOW_MS - 31 * 86_400_000, NOW_MS, 3_600_000)
    for kind, scopes in (("meter", [f"m{n}" for n in range(_METERS)]), ("area", ["block"])):
        for scope in scopes:
            tags = (
                ("interval", "hour"),
                ("kind", kind),
                ("medium", "electricity"),
                ("scope", scope),
                ("site", "bench"),
            )
            await store.write(
                [
                    Point(
                        schema.CONSUMPTION,
                        tags,
                        ("energy_kwh", schema.COVERAGE),
                        (float(hour % 7 + 20), 1.0),
                        hour,
                    )
                    for hour in hours
                ]
            )


async def _write_round(store: Store, now_ms: int) -> None:
    """Write a reading and a poll of each meter, and a status of the agent."""
    points = []
    for number in range(_METERS):
        time_ms = now_ms - 9_000 + 8 * number
        values = (now_ms / 1e6, 50.0 + number % 10, 0.95, 225.0)
        sample = Sample(f"m{number}", time_ms, 0, _QUANTITIES, values)
        points.append(schema.reading_point("bench", "electricity", sample))
        points.append(schema.poll_point("bench", PollReport(sample.meter, time_ms, True, 50, 1)))
    state = {"online": 1.0, "spool_age_s": 1.0}
    points.append(schema.point(schema.AGENT, {"site": "bench", "agent": "agent"}, state, now_ms))
    await store.write([point for point in points if point is not None])
