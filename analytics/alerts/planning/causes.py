"""Find the alerts that other alerts explain (see `Alert`). Pure: the time is an argument.

A dead bus or agent explains the alerts of its meters. An alert about a limit explains an alert of
lower severity about another limit of the same series.

Laws:

1. A cause explains alerts while it fires or is pending. A pending cause without new values explains
   nothing.
2. A recovered cause explains an alert until the alert's own time (`for_s`, or the limit of an age)
   has passed since the recovery.
3. A cause explains no alert of a greater severity, because the notice of the cause might be sent
   later, or to other receivers.
4. If a value is beyond the limits of two rules, only the alert of greater severity is announced.
"""

from collections.abc import Iterable
from typing import Final

from analytics.alerts.alert import Alert
from analytics.alerts.alert_rule import SEVERITIES, AlertRule
from analytics.alerts.planning.alert_places import AlertPlaces
from jieneng.metering.alert_signals import SIGNALS

#: Signals whose alerts can explain alerts of other signals.
CAUSES: Final = frozenset(cause for row in SIGNALS.values() for cause in row.caused_by)
#: Time without values, in addition to `for_s`, after which a pending alert explains nothing [s]. An
#: agent sends its status every minute, and polls meters more often.
_PENDING_S: Final = 600.0


class Causes:
    """The alerts of a site that can explain other alerts.

    Args:
        rules: the rules.
        alerts: alerts that fire, and all alerts of the signals in `CAUSES`.
        places: places of the subjects.
        now_ms: the time [UTC, ms].
    """

    def __init__(
        self,
        rules: Iterable[AlertRule],
        alerts: Iterable[Alert],
        places: AlertPlaces,
        now_ms: int,
    ) -> None:
        self._rules = {rule.id: rule for rule in rules}
        self._places = places
        self._now_ms = now_ms
        self._alerts: dict[tuple[str, str], list[Alert]] = {}
        for alert in alerts:
            if alert.rule in self._rules and (alert.phase != "inactive" or alert.ended_ms):
                self._alerts.setdefault((alert.signal, alert.subject), []).append(alert)

    def explain(self, alert: Alert) -> str:
        """Return the key of the alert that explains `alert`; empty if none does."""
        if alert.rule not in self._rules:
            return ""
        for signal, subject in self._places.causes(alert.signal, alert.subject):
            for cause in self._alerts.get((signal, subject), ()):
                if cause.key != alert.key and self._explains(cause, alert):
                    return cause.key
        for other in self._alerts.get((alert.signal, alert.subject), ()):
            if self._outdoes(other, alert):
                return other.key
        return ""

    def _explains(self, cause: Alert, alert: Alert) -> bool:
        if SEVERITIES.index(cause.severity) < SEVERITIES.index(alert.severity):
            return False
        if cause.phase == "firing":
            return True
        if cause.phase == "pending":
            fresh_s = self._rules[cause.rule].for_s + _PENDING_S
            return self._now_ms - cause.seen_ms < fresh_s * 1000
        rule = self._rules[alert.rule]
        own_s = rule.limit if SIGNALS[alert.signal].unit == "s" else rule.for_s
        return cause.end == "recovered" and self._now_ms - cause.ended_ms < own_s * 1000

    def _outdoes(self, other: Alert, alert: Alert) -> bool:
        """Return True if `other` fires for the same series as `alert` with a greater severity."""
        rule, own = self._rules[other.rule], self._rules[alert.rule]
        return (
            other.phase == "firing"
            and not other.silenced
            and SEVERITIES.index(other.severity) > SEVERITIES.index(alert.severity)
            and (rule.quantity, rule.is_above) == (own.quantity, own.is_above)
        )
