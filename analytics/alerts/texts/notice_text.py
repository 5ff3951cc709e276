"""Render a notice as title and body, in the reader's language, as plain text.

Pure: notices and names in, texts out.

Laws:

1. The title alone gives severity, event, subject and site, because a phone may show nothing else
   of a message.
2. A body has at most `BODY_LIMIT_BYTES`, because messengers cut or refuse longer texts. Alerts that
   do not fit are counted, not listed.
3. Texts are plain text, which mail, DingTalk and WeCom show in the same way. So the name of a
   subject can't act as markup.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from analytics.alerts.alert import Alert, Notice
from analytics.alerts.alert_rule import AlertRules
from analytics.alerts.texts import alert_texts
from analytics.alerts.texts.notice_body import NoticeBody, Row, counted, more_row
from jieneng.locale import Translate
from jieneng.locale.finding_text import Labels

#: Longest body [bytes of UTF-8]. A WeCom robot accepts 2048 bytes of text, including the title;
#: source: https://developer.work.weixin.qq.com/document/path/91770, "文本类型".
BODY_LIMIT_BYTES: Final = 1800
#: Greatest number of alerts, or of names of affected subjects, that a body lists.
_LISTED: Final = 8


class NoticeText(msgspec.Struct, frozen=True):
    """The text of a notice.

    Attributes:
        title: one line.
        body: lines of text.
    """

    title: str
    body: str


def notice_text(
    notice: Notice,
    rules: AlertRules,
    translate: Translate,
    labels: Labels,
) -> NoticeText:
    """Return the text of a notice.

    Args:
        notice: the notice.
        rules: rules of the site. The rule of the notice may have been removed from them.
        translate: function that translates a msgid into the receiver's language.
        labels: names of the site.
    """
    title = headline(notice, rules, translate, labels)
    if labels.site:
        title = f"{title} · {labels.site}"
    body = NoticeBody(notice, alert_texts.find_rule(rules, notice.rule), rules, translate, labels)
    for listed in range(_LISTED, -1, -1):
        text = _rendered(body.rows(listed), translate)
        if len(text.encode()) <= BODY_LIMIT_BYTES:
            break
    return NoticeText(title, text)


def digest_text(
    notices: Sequence[Notice],
    rules: AlertRules,
    translate: Translate,
    labels: Labels,
) -> NoticeText:
    """Return the text of several notices that are sent together, one line each."""
    title = counted(
        len(notices), translate("Digest: {count} notice"), translate("Digest: {count} notices")
    )
    rows: list[Row] = []
    room = BODY_LIMIT_BYTES - 60  # for the line that counts the rest
    for number, notice in enumerate(notices):
        line = " ".join(
            (
                alert_texts.local_time(notice.at_ms, labels),
                headline(notice, rules, translate, labels),
            )
        )
        room -= len(_rendered([Row(line, is_item=True)], translate).encode()) + 1
        if room < 0:
            rows.append(more_row(len(notices) - number, translate))
            break
        rows.append(Row(line, is_item=True))
    site = f" · {labels.site}" if labels.site else ""
    return NoticeText(f"{title}{site}", _rendered(rows, translate))


def headline(notice: Notice, rules: AlertRules, translate: Translate, labels: Labels) -> str:
    """Return event, alert and subject of a notice in a line, without the site."""
    rule = alert_texts.find_rule(rules, notice.rule)
    worst = notice.alerts[0]
    name = alert_texts.alert_name(rule, worst.signal, translate)
    subject = alert_texts.subject_name(worst.signal, worst.subject, labels, translate)
    if more := len(notice.alerts) - 1:
        subject = translate("{subject} and {count} more").format(subject=subject, count=more)
    text = translate("{name}: {text}").format(name=name, text=subject)
    if (
        not more
        and notice.event in ("fired", "reminder")
        and alert_texts.has_value(rule, worst.signal)
    ):
        text += f" {alert_texts.amount(worst.value, rule, worst.signal, translate)}"
    text += _affected(notice.consequences, translate)
    word = alert_texts.event_word(notice.event, notice.severity, translate)
    return translate("[{word}] {text}").format(word=word, text=text)


def _affected(consequences: Sequence[Alert], translate: Translate) -> str:
    """Return the number of affected meters in brackets; if there are none, that of all subjects."""
    subjects = {(alert_texts.subject_kind(one.signal), one.subject) for one in consequences}
    meters = [subject for kind, subject in subjects if kind == "meter"]
    if meters:
        return counted(
            len(meters),
            translate(" ({count} meter affected)"),
            translate(" ({count} meters affected)"),
        )
    return translate(" ({count} affected)").format(count=len(subjects)) if subjects else ""


def _rendered(rows: Sequence[Row], translate: Translate) -> str:
    return "\n".join(_line(row, translate) for row in rows)


def _line(row: Row, translate: Translate) -> str:
    if row.name:
        return translate("{name}: {text}").format(name=row.name, text=row.text)
    return f"- {row.text}" if row.is_item else row.text
