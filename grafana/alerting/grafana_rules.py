"""Build Grafana's alert rules: on the series `alert` by severity, and dead-man rules. Pure.

Laws:

1. A rule on the series `alert` repeats the decision of the analytics: it fires for each rule and
   subject whose latest `phase` is 2, unless a silence or another alert holds the notice back. The
   analytics has already applied hysteresis, calendar and times of `alerts.toml`.
2. Missing points end no alert: the rules look back for a day, and keep their state without data or
   without the database. The dead-man rules fire when points are missing.
3. Annotations contain no `$`: in files for provisioning, some versions take it for a variable.
"""

from typing import Final

from grafana import data_source
from grafana.board_frame import Words, uid
from grafana.board_site import BoardSite
from grafana.field_display import Json
from grafana.queries import latest
from grafana.watched_rule import SEVERITIES
from jieneng.metering import schema

FOLDER: Final = "节能告警"
FOLDER_UID: Final = "jieneng-alerts"
GROUP: Final = "jieneng"
#: Interval of evaluation [s]: the analytics writes a firing alert each minute.
INTERVAL_S: Final = 60

_EXPRESSIONS: Final = "__expr__"
_LOOKBACK_S: Final = 86_400
#: Time without a point after which a service counts as silent [s], and time for which the silence
#: must then last. Agents and analytics write several times a minute, the ingest once a minute.
_SILENT_S: Final = 600
_SILENT_FOR: Final = "5m"

#: Fields that a rule reads of each alert.
_FIELDS: Final = ("phase", "silenced", "caused", "value", "limit")
_IS_FIRING: Final = "$phase == 2 && $silenced < 1 && $caused < 1"

#: Measurement and field of each dead-man rule, with its texts.
_DEAD_MEN: Final[tuple[tuple[str, str, str, Words], ...]] = (
    (
        "agents-silent",
        schema.AGENT,
        "online",
        Words(
            "No agent reports",
            "No state of any agent was stored for 10 minutes: the broker, the ingest, the database"
            " or all agents are down.",
        ),
    ),
    (
        "ingest-silent",
        schema.RECEIPT,
        "held",
        Words(
            "The ingest is silent",
            "The ingest has written nothing of its own for 10 minutes. Agents keep their readings"
            " meanwhile.",
        ),
    ),
    (
        "analytics-silent",
        schema.ALERT_ROUND,
        "duration_s",
        Words(
            "Alerts are not evaluated",
            "The analytics has evaluated no alert rules for 10 minutes, so no other alert can"
            " fire.",
        ),
    ),
)


def dead_man_rules(site: BoardSite) -> list[Json]:
    """Return the rules that fire if a service writes nothing."""
    watched = [row for row in _DEAD_MEN if site.evaluates_alerts or row[0] != "analytics-silent"]
    return [_dead_man(site, *row) for row in watched]


def alert_rules(site: BoardSite) -> list[Json]:
    """Return the rules on the series `alert`, one for each severity."""
    titles = {
        "critical": site.tr("Critical alerts"),
        "warning": site.tr("Warnings"),
        "info": site.tr("Alerts for information"),
    }
    return [_alert_rule(site, severity, titles[severity]) for severity in SEVERITIES]


def _alert_rule(site: BoardSite, severity: str, title: str) -> Json:
    where = {"site": site.id, "severity": severity}
    data: list[Json] = []
    for field in _FIELDS:
        query = latest(schema.ALERT, (field,), where, ("rule", "subject"))
        data += [_query(f"{field}_series", query.text, _LOOKBACK_S), _last(field)]
    data.append(_expression("firing", {"type": "math", "expression": _IS_FIRING}))
    return {
        "uid": f"jieneng-alerts-{severity}",
        "title": title,
        "condition": "firing",
        "data": data,
        "noDataState": "KeepLast",
        "execErrState": "KeepLast",
        "for": "0s",
        "annotations": {
            "summary": "{{ .Labels.rule }}: {{ .Labels.subject }}",
            "value": "{{ .Values.value }}",
            "limit": "{{ .Values.limit }}",
            "board": f"/d/{uid('alerts')}",
        },
        "labels": {"source": "jieneng", "site": site.id, "severity": severity},
        "isPaused": False,
    }


def _dead_man(site: BoardSite, key: str, measurement: str, field: str, words: Words) -> Json:
    query = latest(measurement, (field,), {"site": site.id})
    return {
        "uid": f"jieneng-{key}",
        "title": site.tr(words.title),
        "condition": "silent",
        "data": [
            _query("points", query.text, _SILENT_S),
            _expression("seen", {"type": "reduce", "expression": "points", "reducer": "count"}),
            # A series that exists has a point. If there is no point, `noDataState` fires the rule.
            _expression("silent", {"type": "math", "expression": "$seen < 1"}),
        ],
        "noDataState": "Alerting",
        "execErrState": "Alerting",
        "for": _SILENT_FOR,
        "annotations": {
            "summary": site.tr(words.title),
            "description": site.tr(words.description) if words.description else "",
            "board": f"/d/{uid('edge-fleet')}",
        },
        "labels": {"source": "jieneng", "site": site.id, "severity": "critical"},
        "isPaused": False,
    }


def _query(ref: str, text: str, lookback_s: int) -> Json:
    return {
        "refId": ref,
        "datasourceUid": data_source.UID,
        "relativeTimeRange": {"from": lookback_s, "to": 0},
        "model": {
            "refId": ref,
            "datasource": data_source.REFERENCE,
            "rawQuery": True,
            "query": text,
            "resultFormat": "time_series",
            "intervalMs": 1000 * INTERVAL_S,
            "maxDataPoints": 43200,
        },
    }


def _last(field: str) -> Json:
    return _expression(
        field, {"type": "reduce", "expression": f"{field}_series", "reducer": "last"}
    )


def _expression(ref: str, model: Json) -> Json:
    return {
        "refId": ref,
        "datasourceUid": _EXPRESSIONS,
        "relativeTimeRange": {"from": 0, "to": 0},
        "model": {
            "refId": ref,
            "datasource": {"type": _EXPRESSIONS, "uid": _EXPRESSIONS},
            **model,
        },
    }
