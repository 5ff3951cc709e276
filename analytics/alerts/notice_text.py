"""Render a notice as title and body, in the reader's language, as plain text or Markdown.

Pure: notices and names in, texts out.

Laws:

1. The title says alone how serious it is, what happened, to which subject and at which site: a
   phone shows no more of it.
2. A body has at most `BODY_LIMIT_BYTES`, however many alerts a notice has: messengers cut or refuse
   longer ones. Alerts that find no room are counted.
3. Markdown keeps to bold, code, links and lists, which mail, DingTalk and WeCom all show. Names are
   escaped, so that none becomes markup.
"""

import re
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from analytics.alerts import alert_texts
from analytics.alerts.alert import Alert, Notice
from analytics.alerts.alert_rule import AlertRule, AlertRules
from jieneng.locale import Translate, number_texts
from jieneng.locale.finding_text import Labels
from jieneng.metering.alert_signals import SIGNALS

Form = Literal["text", "markdown"]

#: Longest body [bytes of UTF-8]. A WeCom robot takes 2048 bytes of text, the title among them;
#: source: https://developer.work.weixin.qq.com/document/path/91770, "文本类型".
BODY_LIMIT_BYTES: Final = 1800
#: Greatest number of alerts, or of names of affected subjects, that a body lists.
_LISTED: Final = 8
#: Instructions for signals whose rule names none.
_RUNBOOK: Final = "docs/alerts.md"

_MARKUP: Final = re.compile(r"([\\`*_\[\]<>#|~])")


class NoticeText(msgspec.Struct, frozen=True):
    """The text of a notice.

    Attributes:
        title: one line.
        body: lines of text or Markdown.
    """

    title: str
    body: str


class _Row(msgspec.Struct, frozen=True):
    """A line of a body.

    Attributes:
        text: the text; a sentence of its own if the row has no name.
        name: name of the fact.
        is_code: True for a command to be typed.
        is_item: True for one of several alerts.
    """

    text: str
    name: str = ""
    is_code: bool = False
    is_item: bool = False


def notice_text(
    notice: Notice,
    rules: AlertRules,
    translate: Translate,
    labels: Labels,
    *,
    form: Form = "text",
) -> NoticeText:
    """Return the text of a notice.

    Args:
        notice: the notice.
        rules: rules of the site. The notice may be about a rule that was removed since.
        translate: function that translates a msgid into the receiver's language.
        labels: names of the site.
        form: form of the body.
    """
    title = headline(notice, rules, translate, labels)
    if labels.site:
        title = f"{title} · {labels.site}"
    body = _Body(notice, alert_texts.find_rule(rules, notice.rule), rules, translate, labels)
    for listed in range(_LISTED, -1, -1):
        text = _rendered(body.rows(listed), translate, form)
        if len(text.encode()) <= BODY_LIMIT_BYTES:
            break
    return NoticeText(title, text)


def digest_text(
    notices: Sequence[Notice],
    rules: AlertRules,
    translate: Translate,
    labels: Labels,
    *,
    form: Form = "text",
) -> NoticeText:
    """Return the text of several notices that are sent together, one line each."""
    title = _counted(
        len(notices), translate("Digest: {count} notice"), translate("Digest: {count} notices")
    )
    rows: list[_Row] = []
    room = BODY_LIMIT_BYTES - 60  # for the line that counts the rest
    for number, notice in enumerate(notices):
        line = " ".join(
            (
                alert_texts.local_time(notice.at_ms, labels),
                headline(notice, rules, translate, labels),
            )
        )
        room -= len(_rendered([_Row(line, is_item=True)], translate, form).encode()) + 1
        if room < 0:
            rows.append(_more(len(notices) - number, translate))
            break
        rows.append(_Row(line, is_item=True))
    site = f" · {labels.site}" if labels.site else ""
    return NoticeText(f"{title}{site}", _rendered(rows, translate, form))


def headline(notice: Notice, rules: AlertRules, translate: Translate, labels: Labels) -> str:
    """Return event, alert and subject of a notice in a line, without the site."""
    rule = alert_texts.find_rule(rules, notice.rule)
    worst = notice.alerts[0]
    name = alert_texts.alert_name(rule, worst.signal, translate)
    subject = alert_texts.subject_name(worst.signal, worst.subject, labels, translate)
    if more := len(notice.alerts) - 1:
        subject = translate("{subject} and {count} more").format(subject=subject, count=more)
    text = translate("{name}: {text}").format(name=name, text=subject)
    if not more and notice.event in ("fired", "reminder") and alert_texts.has_value(worst.signal):
        text += f" {alert_texts.amount(worst.value, rule, worst.signal, translate)}"
    text += _affected(notice.consequences, translate)
    word = alert_texts.event_word(notice.event, notice.severity, translate)
    return translate("[{word}] {text}").format(word=word, text=text)


class _Body:
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

    def rows(self, listed: int) -> list[_Row]:
        """Return all lines, with at most that many alerts and affected subjects one by one."""
        return [
            *self._sentences(),
            *(self._one() if len(self._notice.alerts) == 1 else self._several(listed)),
            *self._consequences(listed),
            *self._acknowledged(),
            *self._what_to_do(),
        ]

    def _sentences(self) -> list[_Row]:
        """Return what the event means, if the title does not say it."""
        tr, event, found = self._translate, self._notice.event, list[str]()
        if event == "reminder":
            found.append(tr("The alert has not ended yet."))
        if event == "flapping":
            grouping = self._rules.grouping
            text = tr(
                "The alert fired {count} times or more within {span}. There is no notice of each "
                "time until it has not fired for {span}."
            )
            span = alert_texts.duration(grouping.flap_s, tr)
            found.append(text.format(count=grouping.flap_count, span=span))
        if event == "withdrawn":
            found.append(
                tr(
                    "Readings that came in late show that there was no reason for the alert. "
                    "Nothing needs to be done."
                )
            )
        if self._notice.is_late:
            found.append(tr("The alert was over before its readings came in."))
        return [_Row(text) for text in found]

    def _one(self) -> list[_Row]:
        """Return the facts of the only alert."""
        tr, alert = self._translate, self._notice.alerts[0]
        rows = list[_Row]()
        if alert_texts.has_value(self._signal):
            value = alert_texts.amount(alert.value, self._rule, self._signal, tr)
            peak = alert_texts.amount(alert.peak, self._rule, self._signal, tr)
            limit = alert_texts.limit_text(alert, self._rule, tr)
            shown = tr("{value} (alerts {limit})").format(value=value, limit=limit)
            rows.append(_Row(shown, alert_texts.value_name(self._rule, self._signal, tr)))
            if peak not in (value, number_texts.UNKNOWN):
                rows.append(_Row(peak, tr("Worst value")))
        kind = alert_texts.subject_kind(self._signal)
        rows.append(_Row(self._subject(alert), alert_texts.kind_word(kind, tr)))
        if span := self._span(alert):
            rows.append(_Row(span, tr("Time")))
        return rows

    def _several(self, listed: int) -> list[_Row]:
        """Return the limit, and a line for each alert that finds room."""
        tr, alerts = self._translate, self._notice.alerts
        rows = list[_Row]()
        if alert_texts.has_value(self._signal):
            limit = alert_texts.limit_text(alerts[0], self._rule, tr)
            value_name = alert_texts.value_name(self._rule, self._signal, tr)
            rows.append(_Row(tr("alerts {limit}").format(limit=limit), value_name))
        for alert in alerts[:listed]:
            facts = [self._subject(alert)]
            if alert_texts.has_value(self._signal):
                facts.append(alert_texts.amount(alert.value, self._rule, self._signal, tr))
            if span := self._span(alert):
                facts.append(span)
            rows.append(_Row(tr("; ").join(facts), is_item=True))
        if len(alerts) > listed:
            rows.append(_more(len(alerts) - listed, tr))
        return rows

    def _subject(self, alert: Alert) -> str:
        """Return name and place of an alert's subject."""
        name = alert_texts.subject_name(alert.signal, alert.subject, self._labels, self._translate)
        where = alert_texts.place(alert.signal, alert.subject, self._labels, self._translate)
        if not where:
            return name
        return self._translate("{name} ({place})").format(name=name, place=where)

    def _span(self, alert: Alert) -> str:
        """Return since when an alert is beyond its limit, or from when to when it was."""
        tr, time = self._translate, alert_texts.local_time
        is_over = self._notice.event in ("recovered", "withdrawn") or self._notice.is_late
        end_ms = (alert.ended_ms or self._notice.at_ms) if is_over else self._notice.at_ms
        if not alert.since_ms:
            return tr("until {end}").format(end=time(end_ms, self._labels)) if is_over else ""
        length = alert_texts.duration((end_ms - alert.since_ms) / 1000, tr)
        text = tr("{start} to {end}, {length}") if is_over else tr("since {start}, for {length}")
        return text.format(
            start=time(alert.since_ms, self._labels), end=time(end_ms, self._labels), length=length
        )

    def _consequences(self, listed: int) -> list[_Row]:
        """Return the names of what the alerts explain."""
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
        return [_Row(text, tr("Affected"))]

    def _acknowledged(self) -> list[_Row]:
        names = dict.fromkeys(one.acknowledged_by for one in self._notice.alerts)
        shown = self._translate(", ").join(filter(None, names))
        return [_Row(shown, self._translate("Acknowledged by"))] if shown else []

    def _what_to_do(self) -> list[_Row]:
        """Return cause, advice, link and command, unless the alert is over."""
        tr, notice = self._translate, self._notice
        if notice.event in ("recovered", "withdrawn") or notice.is_late:
            return []
        rows = list[_Row]()
        if (row := SIGNALS.get(self._signal)) is not None:
            rows.append(_Row(tr(row.cause_en), tr("Likely cause")))
            rows.append(_Row(tr(row.advice_en), tr("What to do first")))
        runbook = self._rule.runbook if self._rule is not None else ""
        rows.append(_Row(runbook or f"{_RUNBOOK}#{self._signal}", tr("Instructions")))
        if not all(one.acknowledged_by for one in notice.alerts):
            [*keys] = {one.key for one in notice.alerts}
            named = keys[0] if len(keys) == 1 else notice.rule
            command = f"jieneng alerts ack {named} --by {tr('NAME')}"
            rows.append(_Row(command, tr("Acknowledge"), is_code=True))
        return rows


def _affected(consequences: Sequence[Alert], translate: Translate) -> str:
    """Return in brackets how many subjects the alerts explain: the meters among them, if any."""
    subjects = {(alert_texts.subject_kind(one.signal), one.subject) for one in consequences}
    meters = [subject for kind, subject in subjects if kind == "meter"]
    if meters:
        return _counted(
            len(meters),
            translate(" ({count} meter affected)"),
            translate(" ({count} meters affected)"),
        )
    return translate(" ({count} affected)").format(count=len(subjects)) if subjects else ""


def _counted(count: int, one: str, many: str) -> str:
    """Return the text for a count, which it holds as `{count}`."""
    return (one if count == 1 else many).format(count=count)


def _more(count: int, translate: Translate) -> _Row:
    text = _counted(count, translate("{count} more alert"), translate("{count} more alerts"))
    return _Row(text, is_item=True)


def _rendered(rows: Sequence[_Row], translate: Translate, form: Form) -> str:
    lines = [(_markdown if form == "markdown" else _plain)(row, translate) for row in rows]
    return "\n".join(lines)


def _plain(row: _Row, translate: Translate) -> str:
    if row.name:
        return translate("{name}: {text}").format(name=row.name, text=row.text)
    return f"- {row.text}" if row.is_item else row.text


def _markdown(row: _Row, translate: Translate) -> str:
    """Return a row as an item of a list: the only line break that all messengers keep."""
    text = f"`{row.text}`" if row.is_code else _escaped(row.text)
    if row.name:
        text = translate("{name}: {text}").format(name=f"**{_escaped(row.name)}**", text=text)
    return f"- {text}"


def _escaped(text: str) -> str:
    """Return a text without markup; a web address stays a link."""
    return text if text.startswith(("https://", "http://")) else _MARKUP.sub(r"\\\1", text)
