"""Decide which alerts are silenced or acknowledged. Pure: the time is an argument.

Law: of several marks of one person for one rule and subject, only the last mark is in force. To
lift a silence, a second silence that has already ended is written.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from analytics.alerts.alert import Alert, AlertMark
from analytics.alerts.alert_rule import Maintenance
from analytics.alerts.planning.alert_places import AlertPlaces

_ALL: Final = "*"


class Silences:
    """The silences, maintenance windows and acknowledgements that are in force at a time.

    Args:
        maintenance: rows `[[maintenance]]`.
        marks: marks that people made.
        places: places of the subjects.
        zone: time zone of a maintenance without offset.
        now_ms: the time [UTC, ms].
    """

    def __init__(
        self,
        maintenance: Iterable[Maintenance],
        marks: Sequence[AlertMark],
        places: AlertPlaces,
        zone: ZoneInfo,
        now_ms: int,
    ) -> None:
        self._places = places
        last = {}
        for mark in sorted(marks, key=lambda mark: mark.at_ms):
            last[mark.kind, mark.rule, mark.subject, mark.by] = mark
        self._silences = [
            mark for mark in last.values() if mark.kind == "silence" and now_ms < mark.until_ms
        ]
        self._acknowledgements = [mark for mark in last.values() if mark.kind == "ack"]
        self._maintenance = [
            row for row in maintenance if _ms(row.from_, zone) <= now_ms < _ms(row.to, zone)
        ]

    def is_silenced(self, alert: Alert) -> bool:
        """Return True if no notices are to be sent about an alert."""
        if not self._silences and not self._maintenance:
            return False
        around = self._places.around(alert.signal, alert.subject)
        return any(
            mark.rule in (_ALL, alert.rule) and (mark.subject == _ALL or mark.subject in around)
            for mark in self._silences
        ) or any(_concerns(row, alert.rule, around) for row in self._maintenance)

    def acknowledged_by(self, alert: Alert) -> str:
        """Return the person who acknowledged the episode of an alert; empty if nobody did."""
        for mark in self._acknowledgements:
            is_episode = (
                mark.at_ms >= alert.flapping_ms
                if alert.flapping_ms
                else mark.until_ms >= alert.since_ms
            )
            if is_episode and mark.rule == alert.rule and mark.subject == alert.subject:
                return mark.by
        return ""


def _concerns(row: Maintenance, rule: str, around: frozenset[str]) -> bool:
    """Return True if a maintenance concerns a rule and at least one of some places."""
    places = {*row.area, *row.meter, *row.bus, *row.agent}
    return (not row.rule or rule in row.rule) and (not places or not around.isdisjoint(places))


def _ms(time: datetime, zone: ZoneInfo) -> int:
    local = time.replace(tzinfo=zone) if time.tzinfo is None else time
    return round(local.timestamp() * 1000)
