"""The packaged rules stay silent about a healthy site: nobody is flooded on the first days."""

import asyncio
from pathlib import Path

import pytest

from analytics.alerts.alert_files import load_alert_rules
from analytics.alerts.evaluation import advance
from analytics.calendar.working_calendar import WorkingCalendar
from analytics.pipeline.signals.signal_reader import SignalReader
from jieneng.metering.alert_signals import SIGNALS
from jieneng.site_folder import SiteFolder
from jieneng.storage import open_store
from jieneng.storage.settings import StoreSettings
from tests.boards import simulated_site

DAY_MS = 86_400_000
#: Days from each evaluation to the next; hours are evaluated again over three days.
STEP_DAYS = 3
STEPS = 3


@pytest.mark.long
def test_nine_days_of_a_simulated_centre_fire_no_rule_about_consumption(tmp_path: Path) -> None:
    """Its heating season has begun, its data room runs at night, and its canteen cooks early.

    In December the centre has used more than 80 % of its caps, which is told by rules of their own.
    """
    folder = simulated_site.write_folder(tmp_path)
    fired, watched = asyncio.run(_alerts(folder))
    assert {key for key in fired if not key.startswith("quota-")} == set()
    assert "quota-80-used/huaian-centre/water_total" in fired
    assert watched >= {
        "above-target-path",
        "coverage-low",
        "empty-building-load",
        "submeters-exceed-main",
        "unusual-consumption",
        "water-at-night",
        "water-pipe-burst",
    }


async def _alerts(folder: SiteFolder) -> tuple[set[str], set[str]]:
    """Return the keys of the alerts that fired, and the ids of the rules with known values."""
    store = open_store(StoreSettings(), folder.path)
    await store.prepare()
    days = STEP_DAYS * STEPS
    await simulated_site.fill(folder, store, years=(2025,), detail_days=28 + days + 1)
    rules = load_alert_rules(folder.path, folder.site)
    calendar = WorkingCalendar(rules.hours, folder.site.zone)
    watched_rules = [
        rule
        for rule in rules.rules
        if not SIGNALS[rule.signal].of_data or rule.signal == "coverage"
    ]
    fired, watched = set[str](), set[str]()
    for days_ago in range(days - STEP_DAYS, -1, -STEP_DAYS):
        now_ms = simulated_site.now_ms(folder.site) - days_ago * DAY_MS
        reader = SignalReader(folder, store, rules, calendar)
        values = await reader.read(now_ms)
        while reader.is_behind:
            values |= await reader.read(now_ms)
        for rule in watched_rules:
            if rule.id in values and values[rule.id].subjects:
                watched.add(rule.id)
                found = advance(rule, {}, values[rule.id])
                fired |= {alert.key for alert in found.episodes}
                fired |= {one.key for one in found.alerts.values() if one.phase == "firing"}
    await store.close()
    return fired, watched
