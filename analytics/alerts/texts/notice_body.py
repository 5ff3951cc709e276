"""Write the lines of a notice's body: facts, affected subjects, and advice.

Pure: notices and names in, lines out. `notice_text` renders them.
"""

import math
from typing import Final

import msgspec

from analytics.alerts.alert import Alert, Notice
from analytics.alerts.alert_rule import AlertRule, AlertRules
from analytics.alerts.texts import alert_texts
from analytics.alerts.texts.alert_row import more_text
from jieneng.locale import Translate, number_texts
from jieneng.locale.finding_text import Labels
from jieneng.metering.alert_signals import SIGNALS

#: Instructions for rules without a runbook of their own.
_RUNBOOK: Final = "docs/alerts.md"
#: Events after which the alert does not fire.
_OVER: Final = frozenset({"recovered", "passed", "withdrawn", "unwatched"})


class Row(msgspec.Struct, frozen=True):
    """A line of a body.

    Attributes:
        text: the text; a sentence of its own if the row has no name.
        name: name of the fact.
        is_item: True for one of several alerts.
    """

    text: str
    name: str = ""
    is_item: bool = False


class NoticeBody:
    """The lines of a notice's body."""

    def __init__(
        self,
        notice: Notice,
        rule: AlertRule | None,
        rules: AlertRules,
        translate: Translate,
        labels: Labels,
    ) -> None:
        self._notice = notice
        self._rule = rule
        self._rules = rules
        self._translate: Translate = translate
        self._labels = labels
        self._signal = notice.alerts[0].signal
        self._is_over = notice.event in _OVER or notice.is_late

    def rows(self, listed: int) -> list[Row]:
        """Return all lines; at most `listed` alerts and affected subjects are listed one by one."""
        return [
            *self._sentences(),
            *(self._one() if len(self._notice.alerts) == 1 else self._several(listed)),
            *self._consequences(listed),
            *self._acknowledged(),
            *self._what_to_do(),
        ]

    def _sentences(self) -> list[Row]:
        """Return sentences about the event, for events that the title does not explain."""
        tr, notice, found = self._translate, self._notice, list[str]()
        if notice.event == "reminder":
            found.append(tr("The alert has not ended yet."))
        if notice.event == "flapping":
            text = tr(
                "The alert fired {count} times within {span}. There is no notice of each time "
                "until it has not fired for {span}."
            )
            span = alert_texts.duration(self._rules.grouping.flap_s, tr)
            found.append(text.format(count=notice.times, span=span))
        if notice.event == "passed":
            text = counted(
                notice.times,
                tr("The alert fired {count} time, and was over before this notice was sent."),
                tr("The alert fired {count} times, and was over before this notice was sent."),
            )
            found.append(text)
        if notice.event == "withdrawn":
            found.append(
                tr(
                    "Readings that came in late show that there was no reason for the alert. "
                    "Nothing needs to be done."
                )
            )
        if notice.event == "unwatched":
            found.append(
                tr("The rule, or what it watched, was removed from the files of the site.")
            )
        if notice.is_late:
            found.append(tr("The alert was over before its readings came in."))
        return [Row(text) for text in found]

    def _one(self) -> list[Row]:
        """Return the facts of the only alert."""
        tr, alert = self._translate, self._notice.alerts[0]
        rows = list[Row]()
        if alert_texts.has_value(self._rule, self._signal):
            value = alert_texts.amount(alert.value, self._rule, self._signal, tr)
            farthest = alert.held_peak if math.isnan(alert.peak) else alert.peak
            peak = alert_texts.amount(farthest, self._rule, self._signal, tr)
            limit = alert_texts.limit_text(alert, self._rule, tr)
            shown = tr("{value} (alerts {limit})").format(value=value, limit=limit)
            rows.append(Row(shown, alert_texts.value_name(self._rule, self._signal, tr)))
            if peak not in (value, number_texts.UNKNOWN):
                is_above = alert_texts.is_above(alert, self._rule)
                rows.append(Row(peak, tr("Highest value") if is_above else tr("Lowest value")))
        row = SIGNALS.get(self._signal)
        if row is not None and row.day_en is not None:
            day = alert_texts.day_back_from_year_end(alert, self._labels)
            rows.append(Row(day, tr(row.day_en)))
        kind = alert_texts.subject_kind(self._signal)
        rows.append(Row(self._subject(alert), alert_texts.kind_word(kind, tr)))
        if span := self._span(alert):
            rows.append(Row(span, tr("Time")))
        return rows

    def _several(self, listed: int) -> list[Row]:
        """Return a line for the limit, for each of the first `listed` alerts, and for the rest."""
        tr, alerts = self._translate, self._notice.alerts
        rows = list[Row]()
        if alert_texts.has_value(self._rule, self._signal):
            limit = alert_texts.limit_text(alerts[0], self._rule, tr)
            value_name = alert_texts.value_name(self._rule, self._signal, tr)
            rows.append(Row(tr("alerts {limit}").format(limit=limit), value_name))
        for alert in alerts[:listed]:
            facts = [self._subject(alert)]
            if alert_texts.has_value(self._rule, self._signal):
                facts.append(alert_texts.amount(alert.value, self._rule, self._signal, tr))
            if span := self._span(alert):
                facts.append(span)
            rows.append(Row(tr("; ").join(facts), is_item=True))
        if len(alerts) > listed:
            rows.append(more_row(len(alerts) - listed, tr))
        return rows

    def _subject(self, alert: Alert) -> str:
        """Return name and place of an alert's subject."""
        name = alert_texts.subject_name(alert.signal, alert.subject, self._labels, self._translate)
        where = alert_texts.place(alert.signal, alert.subject, self._labels, self._translate)
        if not where:
            return name
        return self._translate("{name} ({place})").format(name=name, place=where)

    def _span(self, alert: Alert) -> str:
        """Return the time from which on an alert is beyond its limit, and its end if it ended."""
        tr, time = self._translate, alert_texts.local_time
        start_ms = alert.since_ms or alert.held_since_ms
        if not self._is_over:
            end_ms, text = self._notice.at_ms, tr("since {start}, for {length}")
        else:
            end_ms = alert.ended_ms or alert.held_ended_ms or self._notice.at_ms
            text = tr("{start} to {end}, {length}") if start_ms else tr("until {end}")
        if not start_ms and not self._is_over:
            return ""
        return text.format(
            start=time(start_ms, self._labels),
            end=time(end_ms, self._labels),
            length=alert_texts.duration((end_ms - start_ms) / 1000, tr),
        )

    def _consequences(self, listed: int) -> list[Row]:
        """Return the names of subjects whose alerts are explained by the alerts of the notice."""
        tr, found = self._translate, self._notice.consequences
        if not found:
            return []
        names = dict.fromkeys(
            alert_texts.subject_name(one.signal, one.subject, self._labels, tr) for one in found
        )
        text = tr(", ").join([*names][:listed])
        if len(names) > listed:
            more = len(names) - listed
            text = tr("{subject} and {count} more").format(subject=text, count=more).strip()
        return [Row(text, tr("Affected"))]

    def _acknowledged(self) -> list[Row]:
        names = dict.fromkeys(one.acknowledged_by for one in self._notice.alerts)
        shown = self._translate(", ").join(filter(None, names))
        return [Row(shown, self._translate("Acknowledged by"))] if shown else []

    def _what_to_do(self) -> list[Row]:
        """Return cause, advice, link and command; nothing if the alert has ended."""
        tr, notice = self._translate, self._notice
        if self._is_over:
            return []
        rows = list[Row]()
        if (row := SIGNALS.get(self._signal)) is not None:
            rows.append(Row(tr(row.cause_en), tr("Likely cause")))
            rows.append(Row(tr(row.advice_en), tr("What to do first")))
        runbook = self._rule.runbook if self._rule is not None else ""
        packaged = f"{_RUNBOOK}#{self._signal}"
        rows.append(Row(runbook or packaged, tr("Instructions")))
        if not all(one.acknowledged_by for one in notice.alerts):
            [*keys] = {one.key for one in notice.alerts}
            named = keys[0] if len(keys) == 1 else notice.rule
            command = f"jieneng alerts ack {named} --by {tr('NAME')}"
            rows.append(Row(command, tr("Acknowledge")))
        return rows


def counted(count: int, one: str, many: str) -> str:
    """Return the singular or plural text with its placeholder `{count}` filled in."""
    return (one if count == 1 else many).format(count=count)


def more_row(count: int, translate: Translate) -> Row:
    """Return the line that counts the alerts that are not listed."""
    return Row(more_text(count, translate), is_item=True)
