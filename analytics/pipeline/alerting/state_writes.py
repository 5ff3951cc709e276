"""Choose the states of alerts to write to the store. Pure: the time is an argument.

Laws:

1. Each change is written once. It counts as written only after the store has its point.
2. A firing alert is written each minute, and any other alert that is not forgotten each half hour,
   so that `AlertStore.states` finds both in a short window.
3. An alert whose rule or subject was removed is written as ended.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from analytics.alerts.alert import Alert
from analytics.pipeline.alerting.alert_points import is_change, is_pristine
from analytics.pipeline.alerting.alert_store import FORGET_MS, HEARTBEAT_MS, REMEMBER_MS

#: Time by which a round may begin early and still write a state that is due [ms].
_SLACK_MS: Final = 500


class StateWrites:
    """The states that the store has.

    Args:
        stored: the alerts that were read from the store, by key.
    """

    def __init__(self, stored: Mapping[str, Alert]) -> None:
        self._written = {key: (alert, 0) for key, alert in stored.items()}

    def due(self, alerts: Mapping[str, Alert], now_ms: int) -> list[Alert]:
        """Return the states to be written now."""
        found = [alert for alert in alerts.values() if self._is_due(alert, now_ms)]
        removed = (key for key in self._written if key not in alerts)
        return [*found, *(_ended(self._written[key][0]) for key in removed)]

    def note(self, written: Iterable[Alert], alerts: Mapping[str, Alert], now_ms: int) -> None:
        """Record that the store has these states.

        Args:
            written: the result of `due`.
            alerts: the argument of `due`.
            now_ms: time of their points [UTC, ms].
        """
        for alert in written:
            if alert.key in alerts:
                self._written[alert.key] = (alert, now_ms)
            else:
                del self._written[alert.key]

    def _is_due(self, alert: Alert, now_ms: int) -> bool:
        before, written_ms = self._written.get(alert.key, (None, 0))
        if is_change(before, alert):
            return True
        if before is None or is_pristine(alert):
            return False
        if alert.phase == "inactive" and not alert.held and alert.ended_ms < now_ms - FORGET_MS:
            return False
        interval_ms = HEARTBEAT_MS if alert.phase == "firing" else REMEMBER_MS
        return not 0 <= now_ms - written_ms < interval_ms - _SLACK_MS


def _ended(alert: Alert) -> Alert:
    return msgspec.structs.replace(
        alert,
        phase="inactive",
        since_ms=0,
        fired_ms=0,
        back_ms=0,
        flapping_ms=0,
        end="unwatched",
        told="",
        held=0,
    )
