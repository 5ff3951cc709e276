"""Add acknowledgements, silences and causes to alerts.

Pure: the time is an argument. Stored states contain no names of people or causes, so commands and
pages add them with this module.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from analytics.alerts.alert import Alert, AlertMark
from analytics.alerts.alert_rule import AlertRules
from analytics.alerts.planning.alert_places import AlertPlaces
from analytics.alerts.planning.causes import CAUSES, Causes
from analytics.alerts.planning.silences import Silences
from jieneng.metering.site import Site


def marked_alerts(
    rules: AlertRules,
    site: Site,
    alerts: Mapping[str, Alert],
    marks: Sequence[AlertMark],
    now_ms: int,
) -> list[Alert]:
    """Return alerts with `silenced`, `acknowledged_by` and `caused_by`.

    Args:
        rules: rules of the site.
        site: the site.
        alerts: the alerts by key.
        marks: marks that people made.
        now_ms: the time [UTC, ms].
    """
    places = AlertPlaces(site)
    silences = Silences(rules.maintenance, marks, places, site.zone, now_ms)
    marked = [_marked(one, silences) for one in alerts.values()]
    explaining = [one for one in marked if one.phase == "firing" or one.signal in CAUSES]
    causes = Causes(rules.rules, explaining, places, now_ms)
    return [
        one if one.phase == "inactive" else replace(one, caused_by=causes.explain(one))
        for one in marked
    ]


def _marked(alert: Alert, silences: Silences) -> Alert:
    if alert.phase == "inactive":
        return alert
    return replace(
        alert,
        silenced=silences.is_silenced(alert),
        acknowledged_by=silences.acknowledged_by(alert),
    )


def silences_of(marks: Iterable[AlertMark], now_ms: int) -> list[AlertMark]:
    """Return the silences in force at a time, sorted by their ends."""
    last: dict[tuple[str, str, str], AlertMark] = {}
    for mark in sorted(marks, key=lambda mark: mark.at_ms):
        if mark.kind == "silence":
            last[mark.rule, mark.subject, mark.by] = mark
    holding = [mark for mark in last.values() if mark.until_ms > now_ms]
    return sorted(holding, key=lambda mark: mark.until_ms)
