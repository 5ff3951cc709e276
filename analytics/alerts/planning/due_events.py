"""Find the event of an alert that a notice is due about. Pure: the time is an argument.

Laws:

1. An alert has at most one event in a round. While an alert flaps, it has only reminders.
2. In quiet hours, all events below `critical` wait, unless a route with `quiet = false` takes them.
3. A firing waits `wait_s` for other events of its group. The wait begins at the time of the firing,
   so a reading that came in late is not delayed further.
4. A firing in a backlog waits for the next readings of the backlog, at most `BACKLOG_WAIT_MS`,
   because they may show that the episode has ended.
"""

from typing import Final

import msgspec
from msgspec.structs import replace

from analytics.alerts.alert import Alert, Event
from analytics.alerts.alert_rule import SEVERITIES, AlertRule, AlertRules
from analytics.alerts.planning.alert_places import AlertPlaces
from analytics.alerts.planning.notice_groups import DueEvent
from analytics.alerts.planning.notice_state import (
    LATE_MS,
    held_episode,
    is_flapping_unannounced,
    without_held,
)

#: Time for which a recovery waits for other events of its group, and for its alert to fire again
#: [ms]. The meters of a recovered bus answer within their polling intervals.
RECOVERY_WAIT_MS: Final = 60_000
#: Longest time for which a firing in a backlog waits for the readings that may end it [ms].
BACKLOG_WAIT_MS: Final = 300_000
#: Share of its interval by which a reminder may be early, to be sent with others of its group.
_EARLY: Final = 0.1
#: Signals of raw readings. After an outage, readings come in late, in the order of their times.
_OF_READINGS: Final = frozenset(("quantity", "rate"))


class DueEvents:
    """Finds the events that are due in a round.

    Args:
        rules: the rules.
        places: places of the subjects.
        is_quiet: True in quiet hours.
        now_ms: the time [UTC, ms].
    """

    def __init__(self, rules: AlertRules, places: AlertPlaces, is_quiet: bool, now_ms: int) -> None:
        self._rules = {rule.id: rule for rule in rules.rules}
        self._places = places
        self._now_ms = now_ms
        self._wait_ms = round(rules.grouping.wait_s * 1000)
        loud = [route for route in rules.routes if not route.quiet and route.digest is None]
        self._held = {
            severity
            for severity in SEVERITIES
            if is_quiet
            and severity != "critical"
            and not any(not route.severity or severity in route.severity for route in loud)
        }

    def find(self, alert: Alert, before: Alert | None) -> DueEvent | None:
        """Return the event of an alert that a notice is due about; None without one.

        Args:
            alert: the alert with its notice record.
            before: the alert before this round; None if the alert is new.
        """
        if alert.silenced or alert.severity in self._held:
            return None
        if is_flapping_unannounced(alert):
            return None if alert.caused_by or self._is_old(alert) else self._flapping(alert)
        if alert.told and (alert.phase == "firing" or alert.flapping_ms):
            return self._reminder(alert)
        if alert.flapping_ms or (not alert.told and self._is_in_backlog(alert, before)):
            return None
        if alert.phase == "firing":
            return None if alert.caused_by else self._fired(alert)
        return self._ended(alert) if alert.held else None

    def _is_in_backlog(self, alert: Alert, before: Alert | None) -> bool:
        """Return True if an alert comes from a backlog whose next readings may end it."""
        return (
            alert.signal in _OF_READINGS
            and before is not None
            and before.seen_ms < alert.seen_ms < self._now_ms - LATE_MS
            and self._now_ms < alert.known_ms + BACKLOG_WAIT_MS
        )

    def _is_old(self, alert: Alert) -> bool:
        """Return True if an alert flapped long ago, and was found late or waited in quiet hours."""
        return alert.phase != "firing" and self._now_ms - alert.fires[-1] > LATE_MS

    def _fired(self, alert: Alert) -> DueEvent:
        after = self._told(without_held(alert))
        waits_until_ms = min(alert.known_ms, alert.fired_ms) + self._wait_ms
        return self._event(
            "fired", alert, after, waits_until_ms, alert.fired_ms, times=alert.held + 1
        )

    def _flapping(self, alert: Alert) -> DueEvent:
        shown = alert if alert.phase == "firing" or not alert.held else held_episode(alert)
        due = self._event(
            "flapping",
            shown,
            self._told(alert),
            alert.known_ms + self._wait_ms,
            alert.fires[-1],
            times=len(alert.fires),
        )
        return msgspec.structs.replace(due, number=alert.flapping_ms)

    def _ended(self, alert: Alert) -> DueEvent:
        """Return the end of an announced episode, or `passed` if its firing was not announced."""
        event: Event = "passed"
        wait_ms = self._wait_ms
        if alert.told:
            event, wait_ms = alert.end or "recovered", RECOVERY_WAIT_MS
        if event in ("withdrawn", "unwatched"):
            wait_ms = 0
        after = replace(
            without_held(alert), told="", noticed_ms=alert.fires[-1], reminded_ms=self._now_ms
        )
        due = self._event(
            event,
            replace(held_episode(alert), severity=alert.told or alert.severity),
            after,
            alert.known_ms + wait_ms,
            alert.held_ended_ms,
            times=alert.held,
        )
        return msgspec.structs.replace(
            due, number=alert.held_ended_ms, is_late=event == "passed" and alert.held_late
        )

    def _reminder(self, alert: Alert) -> DueEvent | None:
        """Return the reminder of an alert if it is due or nearly due; else None."""
        rule: AlertRule = self._rules[alert.rule]
        is_raised = bool(alert.told) and SEVERITIES.index(alert.severity) > SEVERITIES.index(
            alert.told or alert.severity
        )
        if alert.caused_by or (alert.acknowledged_by and not is_raised):
            return None
        remind_ms = round(rule.remind_s * 1000)
        if is_raised or alert.reminded_ms < 0:
            due_ms = self._now_ms
        elif remind_ms:
            due_ms = alert.reminded_ms + remind_ms
        else:
            return None
        if self._now_ms < due_ms - _EARLY * remind_ms:
            return None
        event: Event = "flapping" if alert.flapping_ms else "reminder"
        shown = held_episode(alert) if alert.phase != "firing" and alert.held else alert
        due = self._event(event, shown, self._told(alert), due_ms, self._now_ms)
        return msgspec.structs.replace(due, number=alert.reminded_ms, times=len(alert.fires))

    def _told(self, alert: Alert) -> Alert:
        """Return an alert with its firing marked as announced."""
        return replace(
            alert,
            told=alert.severity,
            noticed_ms=alert.fires[-1],
            reminded_ms=self._now_ms,
        )

    def _event(
        self,
        event: Event,
        shown: Alert,
        after: Alert,
        waits_until_ms: int,
        at_ms: int,
        times: int = 1,
    ) -> DueEvent:
        return DueEvent(
            event=event,
            group=self._places.group(shown.signal, shown.subject),
            alert=shown,
            after=after,
            waits_until_ms=waits_until_ms,
            at_ms=at_ms,
            times=times,
        )
