"""Replays of 90 days of 100 meters that are read by quarters of an hour."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from analytics.alerts.alert import Alert
from analytics.alerts.alert_rule import AlertRule, AlertRules
from analytics.alerts.evaluation import advance
from analytics.calendar.working_calendar import WorkingCalendar
from analytics.pipeline.signals.signal_reader import SignalReader
from jieneng.metering.schema import Point
from jieneng.storage import StoreSettings, open_store
from tests.bench.alerts.alert_site import NOW_MS, alert_site, opened

_METERS: Final = 100
_DAYS: Final = 90
_QUARTER_MS: Final = 900_000


async def replay_times(folder: Path) -> dict[str, float]:
    """Return the time of replays of a value and of the flow at night, by signal [s]."""
    site = alert_site(folder, _METERS, "water", "tuf-2000m-water", 900)
    store = open_store(StoreSettings(), folder)
    async with opened(store):
        noise = np.random.default_rng(1)
        times = range(NOW_MS - (_DAYS + 29) * 86_400_000, NOW_MS, _QUARTER_MS)
        for number in range(_METERS):
            flows = noise.uniform(0.0, 2.0, len(times))
            volumes = np.cumsum(flows / 4)
            tags = (("meter", f"m{number}"), ("site", "bench"))
            names = ("flow_m3_h", "volume_m3", "quality")
            await store.write(
                [
                    Point("water", tags, names, (flow, volume, 0.0), time_ms)
                    for flow, volume, time_ms in zip(
                        flows.tolist(), volumes.tolist(), times, strict=True
                    )
                ]
            )
        rules = (
            AlertRule(id="value", signal="quantity", quantity="flow_m3_h", above=1.9),
            AlertRule(id="night", signal="night_flow", above=0.3),
        )
        made = AlertRules(rules=rules)
        calendar = WorkingCalendar(made.hours, site.site.zone)
        taken = {}
        for rule in rules:
            reader = SignalReader(site, store, made, calendar)
            begin = time.perf_counter()
            states: Mapping[str, Alert] = {}
            fired = 0
            start_ms = NOW_MS - _DAYS * 86_400_000
            async for values in reader.replay(rule, start_ms, NOW_MS):
                evaluation = advance(rule, states, values)
                states = evaluation.alerts
                fired += len(evaluation.episodes)
            assert fired > 0
            taken[rule.signal] = time.perf_counter() - begin
    return taken
