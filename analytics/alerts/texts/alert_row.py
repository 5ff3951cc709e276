"""Render an alert as the cells of a table, for the page and for the terminal. Pure."""

import math
from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from analytics.alerts.alert import Alert
from analytics.alerts.alert_rule import SEVERITIES, AlertRules, Severity
from analytics.alerts.texts import alert_texts
from jieneng.locale import Translate
from jieneng.locale.finding_text import Labels

State = Literal["firing", "silenced", "pending", "over"]
#: States in the order in which a table shows them.
STATES: Final[tuple[State, ...]] = ("firing", "silenced", "pending", "over")


class AlertRow(msgspec.Struct, frozen=True):
    """Texts of an alert.

    Attributes:
        state: the alert's phase; `silenced` if it fires and no notices are sent about it.
        severity: severity of its rule.
        state_word: word of the state.
        severity_word: word of the severity.
        name: name of the rule or its signal.
        subject: name of the subject.
        place: areas and bus of the subject.
        value: last known value; for an ended alert, the value farthest beyond the limit if it is
            known.
        limit: side and value of the limit.
        start: time from which on the signal is beyond the limit; for an ended alert, the time of
            its last firing.
        length: time since `start`; for an ended alert, the time from its last firing to its end.
        note: the person who acknowledged the alert, and the alert that explains it.
        is_explained: True if another alert explains it.
        key: `rule/subject`, the argument of commands.
    """

    state: State
    severity: Severity
    state_word: str
    severity_word: str
    name: str
    subject: str
    place: str
    value: str
    limit: str
    start: str
    length: str
    note: str
    is_explained: bool
    key: str


def alert_state(alert: Alert) -> State:
    """Return the state of an alert that a table shows."""
    if alert.phase == "firing":
        return "silenced" if alert.silenced else "firing"
    return "pending" if alert.phase == "pending" else "over"


def alert_rows(
    alerts: Iterable[Alert],
    rules: AlertRules,
    translate: Translate,
    labels: Labels,
    now_ms: int,
    *,
    since_ms: int,
) -> list[AlertRow]:
    """Return the rows of alerts: firing alerts first, by severity, and ended alerts last.

    Args:
        alerts: the alerts.
        rules: rules of the site.
        translate: function that translates a msgid.
        labels: names of the site.
        now_ms: the time [UTC, ms].
        since_ms: alerts that ended before this time are left out [UTC, ms].
    """
    shown = [
        one
        for one in alerts
        if one.phase != "inactive" or (one.ended_ms and one.ended_ms >= since_ms)
    ]
    return [_row(one, rules, translate, labels, now_ms) for one in sorted(shown, key=_order)]


def _order(alert: Alert) -> tuple[int, bool, int, int, str]:
    """Return the sort key of an alert: state, not explained before explained, severity, latest."""
    latest_ms = alert.since_ms if alert.phase != "inactive" else alert.ended_ms
    return (
        STATES.index(alert_state(alert)),
        bool(alert.caused_by),
        -SEVERITIES.index(alert.severity),
        -latest_ms,
        alert.key,
    )


def _row(
    alert: Alert, rules: AlertRules, translate: Translate, labels: Labels, now_ms: int
) -> AlertRow:
    rule, state = alert_texts.find_rule(rules, alert.rule), alert_state(alert)
    is_over = state == "over"
    # The state of an ended alert has no start, only the time of its last firing.
    start_ms = alert.since_ms or (alert.fires[-1] if alert.fires else 0)
    end_ms = alert.ended_ms if is_over else now_ms
    value, limit = "", ""
    if alert_texts.has_value(rule, alert.signal):
        shown = alert.value if not is_over or math.isnan(alert.peak) else alert.peak
        value = alert_texts.amount(shown, rule, alert.signal, translate)
        limit = alert_texts.limit_text(alert, rule, translate)
    return AlertRow(
        state=state,
        severity=alert.severity,
        state_word=state_word(state, translate),
        severity_word=alert_texts.severity_word(alert.severity, translate),
        name=alert_texts.alert_name(rule, alert.signal, translate),
        subject=alert_texts.subject_name(alert.signal, alert.subject, labels, translate),
        place=alert_texts.place(alert.signal, alert.subject, labels, translate),
        value=value,
        limit=limit,
        start=alert_texts.short_time(start_ms or end_ms, now_ms, labels),
        length=alert_texts.duration((end_ms - start_ms) / 1000, translate) if start_ms else "",
        note=_note(alert, rules, translate, labels),
        is_explained=bool(alert.caused_by),
        key=alert.key,
    )


def _note(alert: Alert, rules: AlertRules, translate: Translate, labels: Labels) -> str:
    notes: list[str] = []
    if alert.acknowledged_by:
        notes.append(translate("acknowledged by {name}").format(name=alert.acknowledged_by))
    if alert.caused_by:
        cause = _cause_name(alert.caused_by, rules, translate, labels)
        notes.append(translate("because of {alert}").format(alert=cause))
    return translate("; ").join(notes)


def _cause_name(key: str, rules: AlertRules, translate: Translate, labels: Labels) -> str:
    """Return name and subject of the alert with a key; the key if its rule was removed."""
    rule_id, _, subject = key.partition("/")
    rule = alert_texts.find_rule(rules, rule_id)
    if rule is None:
        return key
    return translate("{name}: {text}").format(
        name=alert_texts.alert_name(rule, rule.signal, translate),
        text=alert_texts.subject_name(rule.signal, subject, labels, translate),
    )


def state_word(state: State, translate: Translate) -> str:
    """Return the word of a state."""
    return {
        "firing": translate("firing"),
        "silenced": translate("silenced"),
        "pending": translate("pending"),
        "over": translate("over"),
    }[state]


def more_text(count: int, translate: Translate) -> str:
    """Return the text that counts the alerts that are not listed."""
    text = translate("{count} more alert") if count == 1 else translate("{count} more alerts")
    return text.format(count=count)
