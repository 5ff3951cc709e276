"""Find the alerts that others explain: those behind a dead bus or agent, and lesser limits.

Pure: the time is an argument.

Laws:

1. An alert that fires or is about to fire explains those below it. A pending one whose values no
   longer come explains nothing.
2. After the cause recovered, an alert is explained until it has been beyond its limit for its own
   time again.
3. A cause explains no alert of a greater severity: its notice might wait or go elsewhere.
4. Of two limits of one signal that are passed at once, only the graver one is told.
"""

from collections.abc import Iterable
from typing import Final

from analytics.alerts.alert import Alert
from analytics.alerts.alert_rule import SEVERITIES, AlertRule
from analytics.alerts.planning.alert_places import AlertPlaces
from jieneng.metering.alert_signals import SIGNALS

#: Signals that explain others.
CAUSES: Final = frozenset(cause for row in SIGNALS.values() for cause in row.caused_by)
#: Time without values after which a pending alert explains nothing any more, beside its `for_s`
#: [s]. An agent sends its status every minute, and polls meters more often.
_PENDING_S: Final = 600.0


class Causes:
    """The alerts of a site that can explain others.

    Args:
        rules: the rules.
        alerts: alerts that fire, and all those of the signals in `CAUSES`.
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
        """Return the key of the alert that explains one; empty if none does."""
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
        """Return True if an alert that fires is about a graver limit of the same series."""
        rule, own = self._rules[other.rule], self._rules[alert.rule]
        return (
            other.phase == "firing"
            and not other.silenced
            and SEVERITIES.index(other.severity) > SEVERITIES.index(alert.severity)
            and (rule.quantity, rule.is_above) == (own.quantity, own.is_above)
        )
