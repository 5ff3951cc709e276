"""Make the text of a test notice, to try a receiver. Pure."""

from typing import Final

from analytics.alerts import rule_subjects
from analytics.alerts.alert import Alert, Notice
from analytics.alerts.alert_rule import AlertRule, AlertRules
from analytics.alerts.texts.notice_text import NoticeText, notice_text
from jieneng.locale import Translate
from jieneng.locale.finding_text import Labels
from jieneng.metering.site import Site

#: Preferred rules of the sample; people understand an alert about water at night at once.
_SHOWN: Final = ("water-at-night", "meter-silent")
#: The sample's value, as a multiple of the limit.
_EXCESS: Final = 1.5
_HOUR_MS: Final = 3_600_000


def sample_text(
    rules: AlertRules, site: Site, translate: Translate, labels: Labels, now_ms: int
) -> NoticeText:
    """Return the text of a notice that is marked as a test."""
    rule, subject = _shown(rules, site)
    alert = Alert(
        rule=rule.id,
        signal=rule.signal,
        subject=subject,
        severity=rule.severity,
        phase="firing",
        value=_EXCESS * rule.limit,
        limit=rule.limit,
        peak=_EXCESS * rule.limit,
        since_ms=now_ms - _HOUR_MS,
        fired_ms=now_ms - _HOUR_MS,
    )
    notice = Notice(
        id="sample",
        event="fired",
        rule=rule.id,
        severity=rule.severity,
        group=site.id,
        alerts=(alert,),
        at_ms=now_ms,
    )
    text = notice_text(notice, rules, translate, labels)
    title = translate("[{word}] {text}").format(word=translate("Test"), text=text.title)
    first = translate("This is a test. Nothing is wrong, and nothing needs to be done.")
    return NoticeText(title, f"{first}\n{text.body}")


def _shown(rules: AlertRules, site: Site) -> tuple[AlertRule, str]:
    """Return a rule of the site and one of its subjects."""
    known = {rule.id: rule for rule in (*rules.rules, *rules.disabled)}
    chosen = [known[name] for name in _SHOWN if name in known] or [*known.values()]
    for rule in chosen:
        if found := rule_subjects.subjects(rule, site):
            return rule, found[0]
    return chosen[0], site.id
