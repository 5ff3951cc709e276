"""Notices for the tests of delivery."""

import asyncio
import math

from analytics.alerts.alert import Alert, Notice
from analytics.alerts.alert_rule import Severity
from analytics.alerts.delivery.outbox_entry import QueuedNotice

#: 2026-11-18T17:46:40Z, 01:46 in Huai'an.
NOW_MS = 1_795_000_000_000


def notice(
    notice_id: str = "n1",
    *,
    signal: str = "night_flow",
    subject: str = "w-3",
    severity: Severity = "warning",
    at_ms: int = NOW_MS,
) -> Notice:
    """Return a notice about one alert."""
    alert = Alert(
        rule="water-at-night",
        signal=signal,
        subject=subject,
        severity=severity,
        phase="firing",
        value=math.nan,
        limit=0.5,
        peak=1.5,
        since_ms=at_ms - 3_600_000,
        fired_ms=at_ms,
    )
    return Notice(
        id=notice_id,
        event="fired",
        rule=alert.rule,
        severity=severity,
        group="block-1",
        alerts=(alert,),
        at_ms=at_ms,
    )


def queued(notice_id: str = "n1", receiver: str = "office", due_ms: int = NOW_MS) -> QueuedNotice:
    """Return a notice for a receiver."""
    return QueuedNotice(notice=notice(notice_id), receiver=receiver, due_ms=due_ms)


class SetClock:
    """A clock that shows the time set by the test."""

    def __init__(self) -> None:
        self.time_ms = NOW_MS

    def now_ms(self) -> int:
        return self.time_ms

    def monotonic(self) -> float:
        return self.time_ms / 1000

    def up_ms(self) -> int:
        return self.time_ms

    def machine_boot(self) -> str:
        return "set"

    def is_set(self) -> bool:
        return True

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
