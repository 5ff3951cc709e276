"""Print alerts, silences and undelivered notices: as tables, or as JSON for programs."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from jieneng.cli.alerts.mark_targets import Target
from jieneng.cli.alerts.notice_list import notice_json, undelivered

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from rich.table import Table

    from analytics.alerts.alert import Alert, AlertMark
    from analytics.pipeline.alerting.current_alerts import CurrentAlerts
    from jieneng.cli.alerts.site_alerts import SiteAlerts

#: Time since the last evaluation of the alerts after which a warning is printed [ms].
OLD_MS: Final = 120_000


def to_json(site: "SiteAlerts", found: "CurrentAlerts", now_ms: int, since_ms: int) -> str:
    """Return alerts, silences and the time of the last evaluation as JSON.

    Args:
        site: the site.
        found: alerts of the site.
        now_ms: the time [UTC, ms].
        since_ms: alerts that ended before this time are left out [UTC, ms].
    """
    from analytics.alerts.planning.marked_alerts import silences_of

    document = {
        "evaluated": _time(found.evaluated_ms, site),
        "alerts": [
            _alert(one, site)
            for one in found.alerts
            if one.phase != "inactive" or one.ended_ms >= since_ms
        ],
        "silences": [_silence(mark, site) for mark in silences_of(found.marks, now_ms)],
        "undelivered": [notice_json(entry, site) for entry in undelivered(site)],
    }
    return msgspec.json.format(msgspec.json.encode(document)).decode()


def _alert(alert: "Alert", site: "SiteAlerts") -> dict[str, Any]:
    from analytics.alerts.texts import alert_row, alert_texts

    rule = alert_texts.find_rule(site.rules, alert.rule)
    signal, subject = alert.signal, alert.subject
    return {
        "rule": alert.rule,
        "subject": subject,
        "signal": signal,
        "state": alert_row.alert_state(alert),
        "severity": alert.severity,
        "name": alert_texts.alert_name(rule, signal, site.tr),
        "subject_name": alert_texts.subject_name(signal, subject, site.labels, site.tr),
        "place": alert_texts.place(signal, subject, site.labels, site.tr),
        "value": alert.value,  # NaN becomes null
        "limit": alert.limit,
        "peak": alert.peak,
        "unit": alert_texts.signal_unit(rule, signal),
        "since": _time(alert.since_ms, site),
        "fired": _time(alert.fired_ms, site),
        "ended": _time(alert.ended_ms, site),
        "acknowledged_by": alert.acknowledged_by or None,
        "caused_by": alert.caused_by or None,
    }


def _silence(mark: "AlertMark", site: "SiteAlerts") -> dict[str, Any]:
    return {
        "rule": mark.rule,
        "subject": mark.subject,
        "by": mark.by,
        "from": _time(mark.at_ms, site),
        "until": _time(mark.until_ms, site),
        "reason": mark.reason or None,
    }


def _time(time_ms: int | None, site: "SiteAlerts") -> str | None:
    """Return a local time with its offset; None if the time is unknown."""
    if not time_ms:
        return None
    return datetime.fromtimestamp(time_ms // 1000, site.labels.zone).isoformat()


def silences_table(silences: "Sequence[AlertMark]", site: "SiteAlerts", now_ms: int) -> "Table":
    """Return the table of the silences in force."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from analytics.alerts.texts import alert_texts

    tr = site.tr
    table = Table(
        title=tr("Silences"),
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for heading in (tr("About"), tr("Until"), tr("By"), tr("Reason")):
        table.add_column(heading, overflow="fold")
    for mark in silences:
        target = Target(mark.rule, mark.subject)
        table.add_row(
            Text(str(target)),
            alert_texts.short_time(mark.until_ms, now_ms, site.labels),
            Text(mark.by),
            Text(mark.reason),
        )
    return table


def evaluation_line(site: "SiteAlerts", evaluated_ms: int | None, now_ms: int) -> str | None:
    """Return a warning if the alerts were not evaluated lately, None otherwise."""
    from analytics.alerts.texts import alert_texts

    tr = site.tr
    if evaluated_ms is None:
        return tr(
            "The alerts have not been evaluated within the last day. Start: jieneng analytics run."
        )
    if now_ms - evaluated_ms < OLD_MS:
        return None
    return tr(
        "The alerts were last evaluated {time} ago: this list may be out of date. Start:"
        " jieneng analytics run."
    ).format(time=alert_texts.duration((now_ms - evaluated_ms) / 1000, tr))
