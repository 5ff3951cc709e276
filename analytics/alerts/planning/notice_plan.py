"""Plan the notices that are due. Pure: the time is an argument.

In: the alerts before and after an evaluation, and the episodes that ended within it. Out: notices,
and the alerts with their notice records (see `Alert`).

Laws:

1. Each firing is announced once, and so is its end: recovered, withdrawn or unwatched. If an
   episode ended before its firing was announced, one notice announces the firing and the end.
2. Silenced and explained alerts give no notices, but they are still evaluated. An alert that still
   fires when its silence ends is announced then.
3. An event waits for other events of its group. In quiet hours, it waits for their end unless it is
   critical.
4. Two copies that plan from the same alerts get the same notices, with the same ids.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from analytics.alerts import rule_subjects
from analytics.alerts.alert import Alert, AlertMark, Notice
from analytics.alerts.alert_rule import AlertRules
from analytics.alerts.planning.alert_places import AlertPlaces
from analytics.alerts.planning.causes import CAUSES, Causes
from analytics.alerts.planning.due_events import DueEvents
from analytics.alerts.planning.notice_groups import notice_of, ready_groups
from analytics.alerts.planning.notice_state import is_open, unwatched_episode, with_new_events
from analytics.alerts.planning.silences import Silences
from analytics.calendar.working_calendar import WorkingCalendar
from analytics.periods import local_day
from jieneng.metering.alert_signals import SIGNALS
from jieneng.metering.site import Site


def plan_notices(
    rules: AlertRules,
    site: Site,
    calendar: WorkingCalendar,
    before: Mapping[str, Alert],
    after: Mapping[str, Alert],
    marks: Sequence[AlertMark],
    now_ms: int,
    episodes: Iterable[Alert] = (),
) -> tuple[tuple[Notice, ...], dict[str, Alert]]:
    """Return the notices that are due, and the alerts with their notice records.

    Args:
        rules: the rules.
        site: the site.
        calendar: the working calendar, with the quiet hours.
        before: the alerts before the evaluation, by key.
        after: the alerts after the evaluation, by key.
        marks: marks that people made.
        now_ms: the time [UTC, ms].
        episodes: the episodes that ended within the evaluation.
    """
    return NoticePlanner(rules, site, calendar).plan(before, after, marks, now_ms, episodes)


class NoticePlanner:
    """Plans the notices of a site, round after round.

    `plan` may be called without a new evaluation, to get notices that have waited long enough.

    Args:
        rules: the rules.
        site: the site.
        calendar: the working calendar, with the quiet hours.

    Attributes:
        waits_until_ms: time at which the next notice will have waited for others of its group, as
            of the last plan [UTC, ms]; 0 if none waits.
    """

    def __init__(self, rules: AlertRules, site: Site, calendar: WorkingCalendar) -> None:
        self._rules = rules
        self._zone = site.zone
        self._calendar = calendar
        self._places = AlertPlaces(site)
        self._watched = _Watched(rules, site)
        self.waits_until_ms = 0

    def plan(
        self,
        before: Mapping[str, Alert],
        after: Mapping[str, Alert],
        marks: Sequence[AlertMark],
        now_ms: int,
        episodes: Iterable[Alert] = (),
    ) -> tuple[tuple[Notice, ...], dict[str, Alert]]:
        """Return the due notices, and the alerts with their notice records; see `plan_notices`."""
        rules, places = self._rules, self._places
        alerts, ended = _without_unwatched(after, self._watched, now_ms)
        ends: dict[str, list[Alert]] = {}
        for episode in (*episodes, *ended):
            ends.setdefault(episode.key, []).append(episode)
        opened = [
            key
            for key, alert in alerts.items()
            if alert.phase != "inactive" or key in ends or is_open(alert) or _is_marked(alert)
        ]
        self._update_records(opened, alerts, ends, marks, now_ms)
        due = DueEvents(rules, places, self._calendar.is_quiet(now_ms), now_ms)
        found = (due.find(alerts[key], before.get(key)) for key in opened)
        events = [event for event in found if event is not None]
        waits = (event.waits_until_ms for event in events if event.waits_until_ms > now_ms)
        self.waits_until_ms = min(waits, default=0)
        groups = ready_groups(events, now_ms)
        explained = _explained(alerts, opened)
        for one in [one for group in groups for one in group if one.alert.signal in CAUSES]:
            explained.setdefault(one.alert.key, []).extend(
                _silent_since(one.alert, alerts.values(), places)
            )
        notices = []
        for group in groups:
            notices.append(notice_of(group, explained))
            alerts.update((one.after.key, one.after) for one in group)
        return tuple(notices), {
            key: alert
            for key, alert in alerts.items()
            if alert.end != "unwatched" or is_open(alert) or self._watched.has(alert, now_ms)
        }

    def _update_records(
        self,
        opened: Sequence[str],
        alerts: dict[str, Alert],
        ends: Mapping[str, Sequence[Alert]],
        marks: Sequence[AlertMark],
        now_ms: int,
    ) -> None:
        """Mark alerts as silenced, acknowledged or explained, and update their notice records.

        Args:
            opened: keys of the alerts to update.
            alerts: all alerts; the updated alerts are replaced in it.
            ends: episodes that ended, by key.
            marks: marks that people made.
            now_ms: the time [UTC, ms].
        """
        rules, places = self._rules, self._places
        silences = Silences(rules.maintenance, marks, places, self._zone, now_ms)
        for key in opened:
            alerts[key] = _marked(alerts[key], silences)
        explaining = [
            one for one in alerts.values() if one.phase == "firing" or one.signal in CAUSES
        ]
        causes = Causes(rules.rules, explaining, places, now_ms)
        for key in opened:
            alert, over = alerts[key], ends.get(key, ())
            is_asked = alert.phase != "inactive" or over
            caused_by = causes.explain(alert) if is_asked else ""
            if caused_by != alert.caused_by:
                alert = replace(alert, caused_by=caused_by)
            alerts[key] = with_new_events(alert, over, rules.grouping, now_ms)


def _explained(alerts: Mapping[str, Alert], keys: Iterable[str]) -> dict[str, list[Alert]]:
    """Return the explained alerts, by the key of their cause.

    An alert that explains another limit of the same subject is left out: it has no consequences.
    """
    explained: dict[str, list[Alert]] = {}
    for key in keys:
        alert = alerts[key]
        cause = alerts.get(alert.caused_by)
        if cause is not None and (cause.signal, cause.subject) != (alert.signal, alert.subject):
            explained.setdefault(cause.key, []).append(alert)
    return explained


def _silent_since(cause: Alert, alerts: Iterable[Alert], places: AlertPlaces) -> list[Alert]:
    """Return the alerts of meters that became silent when a cause began, and do not fire yet.

    Args:
        cause: the alert of a bus or an agent.
        alerts: all alerts.
        places: places of the subjects.
    """
    if cause.phase != "firing":
        return []
    own = (cause.signal, cause.subject)
    return [
        one
        for one in alerts
        if one.signal == "reading_age"
        and one.phase == "inactive"
        and one.seen_ms - one.value * 1000 <= cause.since_ms  # time of the last reading
        and own in places.causes(one.signal, one.subject)
    ]


def _is_marked(alert: Alert) -> bool:
    """Return True if an alert was silenced, acknowledged or explained in an earlier round."""
    return bool(alert.silenced or alert.caused_by or alert.acknowledged_by)


def _marked(alert: Alert, silences: Silences) -> Alert:
    """Return an alert with its silence and its acknowledgement.

    `reminded_ms` is negative during a silence, so that a reminder is due when the silence ends.
    """
    silenced = silences.is_silenced(alert)
    is_active = alert.phase != "inactive" or bool(alert.flapping_ms)
    acknowledged_by = silences.acknowledged_by(alert) if is_active else ""
    reminded_ms = -abs(alert.reminded_ms) if silenced else alert.reminded_ms
    changed = (silenced, acknowledged_by, reminded_ms)
    if changed == (alert.silenced, alert.acknowledged_by, alert.reminded_ms):
        return alert
    return replace(
        alert, silenced=silenced, acknowledged_by=acknowledged_by, reminded_ms=reminded_ms
    )


class _Watched:
    """The subjects that the rules of a site watch.

    Args:
        rules: the rules.
        site: the site.
    """

    def __init__(self, rules: AlertRules, site: Site) -> None:
        self._site = site
        self._rules = {rule.id: rule for rule in rules.rules}
        self._subjects: dict[str, frozenset[str]] = {}
        self._removed = {
            meter.id: meter.removed for meter in site.meter if meter.removed is not None
        }

    def has(self, alert: Alert, now_ms: int) -> bool:
        """Return True if the rule of an alert still watches its subject."""
        rule = self._rules.get(alert.rule)
        if rule is None:
            return False
        subjects = self._subjects.get(rule.id)
        if subjects is None:
            subjects = self._subjects[rule.id] = frozenset(rule_subjects.subjects(rule, self._site))
        if alert.subject in self._removed and SIGNALS[rule.signal].subject == "meter":
            return local_day(now_ms, self._site.zone) <= self._removed[alert.subject]
        return alert.subject in subjects


def _without_unwatched(
    alerts: Mapping[str, Alert], watched: _Watched, now_ms: int
) -> tuple[dict[str, Alert], list[Alert]]:
    """Return the alerts with unwatched alerts ended, and the episodes that ended so."""
    left, ended = dict(alerts), []
    for key, alert in alerts.items():
        if watched.has(alert, now_ms):
            continue
        if alert.phase == "firing":
            ended.append(unwatched_episode(alert, now_ms))
        left[key] = replace(
            alert, phase="inactive", since_ms=0, fired_ms=0, flapping_ms=0, end="unwatched"
        )
    return left, ended
