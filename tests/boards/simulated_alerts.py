"""Alerts of the simulated site: what fires, what was in the last month, marks and rounds.

Written by the analytics' own `AlertStore`, so the boards show what it writes.
"""

import random
from typing import Final

import msgspec

from analytics.alerts.alert import Alert, AlertMark
from analytics.alerts.alert_files import packaged_alert_rules
from analytics.pipeline.alerting.alert_store import AlertStore, Round
from jieneng.metering.site import Site
from jieneng.storage import Store

_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
_RULES: Final = packaged_alert_rules()

#: Rule, subject, hours since when, value, and what holds its notices back.
_FIRING: Final = (
    ("agent-silent", "agent-2", 1.0, 3600.0, ""),
    ("meter-silent", "e-b2-hvac", 0.9, 3300.0, "agent-silent/agent-2"),
    ("meter-silent", "w-b2", 0.9, 3300.0, "agent-silent/agent-2"),
    ("water-at-night", "w-b1", 36.0, 0.62, ""),
    ("water-pipe-burst", "w-main", 5.5, 7.9, ""),
    ("disk-filling", "agent-1", 70.0, 88.5, ""),
    ("unusual-consumption", "e-b1-hvac", 6.0, 3.4, ""),
    ("above-target-path", "block-2/energy_per_floor_area", 300.0, 6.2, ""),
    ("coverage-low", "block-2", 200.0, 91.3, ""),
)
_ACKNOWLEDGED: Final = ("disk-filling", "agent-1")
#: Rule, subjects, and episodes of each in the last month.
_PAST: Final = (
    ("unusual-consumption", ("e-b1-hvac", "e-b2", "e-b1-light"), 9),
    ("meter-silent", ("e-b2-hvac", "w-b1", "g-ct"), 4),
    ("empty-building-load", ("block-1", "block-2"), 6),
    ("bus-failing", ("block-2-gateway",), 3),
    ("water-at-night", ("w-b1", "w-b2"), 2),
    ("spool-waiting", ("agent-1",), 2),
    ("phase-b-lost", ("e-main",), 1),
)


def alert(rule_id: str, subject: str, since_ms: int, value: float, caused_by: str = "") -> Alert:
    """Return an alert that fires."""
    rule = _RULES[rule_id]
    return Alert(
        rule=rule.id,
        signal=rule.signal,
        subject=subject,
        severity=rule.severity,
        phase="firing",
        value=value,
        limit=rule.limit,
        peak=value * (1.1 if rule.is_above else 0.95),
        since_ms=since_ms,
        fired_ms=since_ms + round(1000 * rule.for_s),
        acknowledged_by="li" if (rule_id, subject) == _ACKNOWLEDGED else "",
        caused_by=caused_by,
    )


async def fill(site: Site, store: Store, now_ms: int) -> None:
    """Write the alerts of a month."""
    alerts = AlertStore(site.id, store)
    firing = [
        alert(rule, subject, now_ms - round(hours * _HOUR_MS), value, caused_by)
        for rule, subject, hours, value, caused_by in _FIRING
    ]
    for minutes in (2, 1):
        at_ms = now_ms - minutes * _MINUTE_MS
        await alerts.write_states([one for one in firing if one.fired_ms <= at_ms], at_ms)
    past = _episodes(now_ms)
    await alerts.write_episodes(past)
    await alerts.write_states(past, now_ms - 20 * _MINUTE_MS)
    for at_ms in range(now_ms - 7 * _DAY_MS, now_ms, 10 * _MINUTE_MS):
        fires = sum(one.fired_ms <= at_ms for one in firing)
        fires += sum(one.fired_ms <= at_ms < one.ended_ms for one in past)
        await alerts.write_round(
            Round(
                copy="server-1",
                at_ms=at_ms,
                is_holder=True,
                watched=412,
                firing=fires,
                duration_s=0.08,
            )
        )
    await alerts.write_mark(
        AlertMark(
            kind="ack",
            rule=_ACKNOWLEDGED[0],
            subject=_ACKNOWLEDGED[1],
            by="li",
            at_ms=now_ms - 60 * _HOUR_MS,
            until_ms=firing[5].since_ms,
            reason="新硬盘周五到货",
        )
    )
    await alerts.write_mark(
        AlertMark(
            kind="silence",
            rule="*",
            subject="g-ct",
            by="wang",
            at_ms=now_ms - 30 * _HOUR_MS,
            until_ms=now_ms - 6 * _HOUR_MS,
            reason="食堂燃气表更换",
        )
    )


def _episodes(now_ms: int) -> list[Alert]:
    rng = random.Random(15)
    found = []
    for rule, subjects, count in _PAST:
        for subject in subjects:
            for _ in range(count):
                started_ms = now_ms - round(rng.uniform(0.5, 29) * _DAY_MS)
                factor = rng.uniform(1, 2) if _RULES[rule].is_above else rng.uniform(0.5, 0.95)
                fires = alert(rule, subject, started_ms, _RULES[rule].limit * factor)
                lasted_ms = round(rng.lognormvariate(7.5, 1.0) * 1000)
                found.append(_ended(fires, fires.fired_ms + lasted_ms, rng.random() < 0.1))
    return found


def _ended(fires: Alert, ended_ms: int, is_withdrawn: bool) -> Alert:
    return msgspec.structs.replace(
        fires,
        phase="inactive",
        ended_ms=ended_ms,
        end="withdrawn" if is_withdrawn else "recovered",
    )
