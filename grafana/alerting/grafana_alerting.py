"""Assemble Grafana's alerting of a site: rules, contact points, template and mute timing. Pure.

Laws:

1. Without receivers, only the dead-man rules are built: the analytics sends all other notices, but
   it can't report that it is down itself. Grafana's default policy sends these alerts.
2. With receivers, Grafana sends the notices of all alerts, and the analytics must not send any.
3. A rule names its contact point itself. Files and API could only replace the notification policies
   of the whole organisation.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from grafana.alerting.contact_points import Integration
from grafana.alerting.grafana_rules import (
    FOLDER,
    GROUP,
    INTERVAL_S,
    alert_rules,
    dead_man_rules,
)
from grafana.alerting.message_templates import NAME, message_template
from grafana.board_site import BoardSite
from grafana.field_display import Json
from grafana.watched_rule import SEVERITIES

#: Name of the time interval in which notices below `critical` wait.
QUIET_HOURS: Final = "jieneng-quiet-hours"
#: Time for which a new notice waits for other alerts of its group, and interval of reminders.
_GROUP_WAIT: Final = "10s"
_GROUP_INTERVAL: Final = "1m"
_REPEAT_INTERVAL: Final = "1d"


class Recipients(msgspec.Struct, frozen=True, kw_only=True):
    """Receivers of notices, by severity, and the hours in which notices wait.

    Attributes:
        integrations: integrations of each severity that has any.
        quiet: start and end of the hours in which notices below `critical` wait; None if there are
            no such hours.
    """

    integrations: Mapping[str, tuple[Integration, ...]]
    quiet: tuple[str, str] | None = None


class GrafanaAlerting(msgspec.Struct, frozen=True, kw_only=True):
    """Grafana's alerting of a site.

    Attributes:
        rules: rules, in the form that files and API have in common.
        contact_points: integrations by the name of their contact point.
        templates: message templates by name.
        mute_timings: time intervals by name.
    """

    rules: tuple[Json, ...]
    contact_points: Mapping[str, tuple[Integration, ...]] = {}
    templates: Mapping[str, str] = {}
    mute_timings: Mapping[str, list[Json]] = {}


def grafana_alerting(site: BoardSite, recipients: Recipients | None = None) -> GrafanaAlerting:
    """Return the alerting of a site; without recipients, the dead-man rules alone."""
    if recipients is None:
        return GrafanaAlerting(rules=tuple(dead_man_rules(site)))
    is_quiet = recipients.quiet is not None
    rules = [
        _with_contact_point(rule, recipients.integrations, is_quiet=is_quiet)
        for rule in (*alert_rules(site), *dead_man_rules(site))
    ]
    return GrafanaAlerting(
        rules=tuple(rules),
        contact_points={
            _contact_point(severity): recipients.integrations[severity]
            for severity in SEVERITIES
            if recipients.integrations.get(severity)
        },
        templates={NAME: message_template(site)},
        mute_timings=(
            {QUIET_HOURS: [_time_interval(*recipients.quiet, site.timezone)]}
            if recipients.quiet is not None
            else {}
        ),
    )


def integration_uid(contact_point: str, integration: Integration) -> str:
    """Return the uid of an integration in a contact point; Grafana allows 40 characters."""
    return f"{contact_point}-{integration.receiver}"[:40]


def provisioning_file(alerting: GrafanaAlerting) -> Json:
    """Return the content of a file for provisioning, without secrets."""
    return {
        "apiVersion": 1,
        "groups": [
            {
                "orgId": 1,
                "name": GROUP,
                "folder": FOLDER,
                "interval": f"{INTERVAL_S}s",
                "rules": list(alerting.rules),
            }
        ],
        "contactPoints": [
            {
                "orgId": 1,
                "name": name,
                "receivers": [
                    {
                        "uid": integration_uid(name, one),
                        "type": one.kind,
                        "settings": one.for_file().settings,
                    }
                    for one in integrations
                ],
            }
            for name, integrations in alerting.contact_points.items()
        ],
        "templates": [
            {"orgId": 1, "name": name, "template": text}
            for name, text in alerting.templates.items()
        ],
        "muteTimes": [
            {"orgId": 1, "name": name, "time_intervals": intervals}
            for name, intervals in alerting.mute_timings.items()
        ],
    }


def _contact_point(severity: str) -> str:
    return f"jieneng-{severity}"


def _with_contact_point(
    rule: Json, integrations: Mapping[str, tuple[Integration, ...]], *, is_quiet: bool
) -> Json:
    severity = rule["labels"]["severity"]
    if not integrations.get(severity):
        return rule  # Grafana's default policy sends it
    settings: Json = {
        "receiver": _contact_point(severity),
        "group_by": ["grafana_folder", "alertname", "rule"],
        "group_wait": _GROUP_WAIT,
        "group_interval": _GROUP_INTERVAL,
        "repeat_interval": _REPEAT_INTERVAL,
    }
    if is_quiet and severity != SEVERITIES[0]:
        settings["mute_time_intervals"] = [QUIET_HOURS]
    return {**rule, "notification_settings": settings}


def _time_interval(start: str, end: str, zone: str) -> Json:
    """Return a daily time interval; an interval over midnight has two parts."""
    spans = [(start, end)] if start < end else [(start, "24:00"), ("00:00", end)]
    return {
        "times": [
            {"start_time": first, "end_time": last} for first, last in spans if first != last
        ],
        "location": zone,
    }
