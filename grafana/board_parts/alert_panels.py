"""Build the panels of alerts: current and past alerts, their number and duration, their evaluation.

Law: the names of the states come from the store. Grafana's transformations filter, count and
average the rows; the queries do not.
"""

from collections.abc import Mapping
from typing import Final

from grafana import colours
from grafana.board_frame import board_link, panel_text, uid
from grafana.board_site import BoardSite
from grafana.field_display import FieldOverride, Json, bad_from
from grafana.panels import PanelText, bar_gauge, stat_panel, table_panel, time_series_lines
from grafana.queries import latest, latest_series, newest_rows, one_of, time_series
from grafana.verdicts import Mappings, name_values, yes_values
from grafana.watched_rule import severity_words
from jieneng.metering import schema
from jieneng.metering.alert_signals import SIGNALS, SubjectKind
from jieneng.metering.errors import Msgid
from jieneng.metering.indicators import BINDING_INDICATORS, CAPPED_INDICATORS

_SITE: Final = {"site": "$site"}
#: Time span in which each alert of the last 40 days has a point: an alert that fires has a point
#: each minute, any other alert each half hour.
_NOW: Final = {"timeFrom": "2h", "hideTimeOverride": True}
_MONTH: Final = {"timeFrom": "30d", "hideTimeOverride": True}
#: Largest number of episodes that are counted, and largest number of rows in a list.
_EPISODES: Final = 2000
_ROWS: Final = 200
_FIRING: Final = 2
_TIME: Final = "time:YYYY-MM-DD HH:mm"
_FIELDS: Final = (
    *("phase", "value", "limit", "peak", "since_ms", "acknowledged", "silenced", "caused"),
)


def firing_by_severity(site: BoardSite) -> Json:
    """Return the number of alerts that fire, by severity."""
    text = panel_text(
        site,
        "Firing now",
        "Number of alerts that fire, by severity, including alerts whose notices are held"
        " back by a silence or by another alert.",
        "No alert fires.",
    )
    # Words without signs: Grafana computes the width of the signs too small, and cuts the words.
    words = {one: word.split(" ", 1)[1] for one, (word, _) in severity_words(site.tr).items()}
    overrides = {"severity": FieldOverride(values=name_values(words))}
    query = latest(schema.ALERT, ("phase",), _SITE, ("rule", "subject", "severity"))
    panel = bar_gauge(text, "none", query, overrides, value="phase \\(count\\)")
    panel["fieldConfig"]["defaults"]["decimals"] = 0
    panel["transformations"] = [
        _only("phase", _FIRING),
        _grouped("severity", phase=("count",)),
        # In alphabetical order `critical` comes first.
        {"id": "sortBy", "options": {"sort": [{"field": "severity", "desc": False}]}},
    ]
    return {**panel, **_NOW}


def firing(
    site: BoardSite, title: Msgid, kinds: tuple[SubjectKind, ...], link: tuple[str, str]
) -> Json:
    """Return the alerts that fire for subjects of some kinds.

    Args:
        site: the site and the language.
        title: heading.
        kinds: kinds of subjects.
        link: title and URL of the link of a subject.
    """
    tr = site.tr
    text = panel_text(
        site,
        title,
        "Alerts that fire now. Since: time from which on the value has been beyond the limit. A"
        " silence, a maintenance or another alert that explains it holds notices back.",
        "No such alert fires.",
    )
    held = {"0": ("—", colours.TEXT)}
    columns = {
        "severity": FieldOverride(tr("Severity"), values=severity_words(tr), width=105),
        "rule": FieldOverride(tr("Alert"), values=_rules(site), width=230),
        "subject": FieldOverride(
            tr("Where"), values=name_values(subject_names(site, kinds)), link=link
        ),
        "value": FieldOverride(tr("Value"), decimals=2, width=90),
        "limit": FieldOverride(tr("Limit"), decimals=2, width=90),
        "peak": FieldOverride(tr("Worst value"), decimals=2, width=95),
        "since_ms": FieldOverride(tr("Since"), _TIME, width=150),
        "acknowledged": FieldOverride(
            tr("Ack."),
            values={"1": (f"✓ {tr('yes')}", colours.GREEN), **held},
            width=80,
        ),
        "silenced": FieldOverride(
            tr("Silenced"), values={"1": (tr("silenced"), colours.PURPLE), **held}, width=90
        ),
        "caused": FieldOverride(
            tr("Explained"), values={"1": (tr("by another"), colours.PURPLE), **held}, width=100
        ),
        "phase": FieldOverride(hidden=True),
    }
    where = {**_SITE, "signal": _signals(kinds)}
    query = latest(schema.ALERT, _FIELDS, where, ("severity", "rule", "subject"))
    panel = table_panel(text, "none", [query], columns, sort=("since_ms", True))
    panel["transformations"].insert(0, _only("phase", _FIRING))
    return {**panel, **_NOW}


def firing_over_time(site: BoardSite) -> Json:
    """Return the number of alerts that fire, over time, as counted at each evaluation."""
    text = panel_text(
        site,
        "Number of alerts",
        "Alerts that fired at each evaluation. A gap means that nothing was evaluated.",
        "No alert was evaluated in this time range.",
    )
    query = time_series(schema.ALERT_ROUND, ("firing",), _SITE, ("copy",), "$tag_copy")
    overrides = {"/.*/": FieldOverride(colour=colours.VERMILION)}
    panel = time_series_lines(text, "none", [query], overrides, stepped=True)
    panel["fieldConfig"]["defaults"] |= {"min": 0, "decimals": 0}
    panel["fieldConfig"]["defaults"]["custom"]["spanNulls"] = 600_000
    return panel


def rounds(site: BoardSite) -> Json:
    """Return the last evaluation of each copy of the analytics."""
    tr = site.tr
    text = panel_text(
        site,
        "Evaluation",
        "Copies of the analytics that evaluated alerts within the last 10 minutes, and their latest"
        " evaluation. One copy evaluates and plans the notices; another takes over when it falls"
        " silent.",
        "The analytics has not evaluated alerts for 10 minutes. Start it: jieneng analytics run.",
    )
    columns = {
        "copy": FieldOverride(tr("Copy")),
        "holder": FieldOverride(
            tr("Sends notices"), values=yes_values(tr("yes"), tr("no")), width=110
        ),
        "watched": FieldOverride(tr("Watched"), decimals=0, width=90),
        "firing": FieldOverride(tr("Firing"), decimals=0, width=80),
        "duration_s": FieldOverride(tr("Duration"), "s", 2, width=90),
    }
    fields = ("holder", "watched", "firing", "duration_s")
    query = latest(schema.ALERT_ROUND, fields, _SITE, ("copy",))
    panel = table_panel(text, "none", [query], columns)
    return {**panel, "timeFrom": "10m", "hideTimeOverride": True}


def total_firing(site: BoardSite) -> Json:
    """Return the number of alerts that fire, as a figure."""
    text = panel_text(
        site,
        "Alerts that fire",
        "Number at the last evaluation.",
        "The analytics has not evaluated alerts for two hours.",
    )
    query = latest_series(schema.ALERT_ROUND, "firing", _SITE, (), site.tr("Alerts"))
    overrides = {"/.*/": FieldOverride(decimals=0, thresholds=bad_from(1))}
    panel = stat_panel(text, "none", [query], overrides, beside=True)
    panel["fieldConfig"]["defaults"]["links"] = [
        {"title": site.tr("Open the alerts"), "url": f"/d/{uid('alerts')}"}
    ]
    return {**panel, **_NOW}


def episodes(site: BoardSite) -> Json:
    """Return the latest alerts that are over."""
    text = panel_text(
        site,
        "Alerts that are over",
        "Newest first. Withdrawn: late readings showed that the alert had no reason.",
        "No alert has ended in this time range.",
    )
    columns = {
        "Time": FieldOverride(site.tr("Fired at"), _TIME, width=145),
        "severity": FieldOverride(site.tr("Severity"), values=severity_words(site.tr), width=105),
        **_subject_columns(site),
        "lasted_s": FieldOverride(site.tr("Lasted"), "dtdhms", width=130),
        "peak": FieldOverride(site.tr("Worst value"), decimals=2, width=95),
        "limit": FieldOverride(site.tr("Limit"), decimals=2, width=90),
        "end": FieldOverride(site.tr("End"), values=_ends(site), width=130),
    }
    query = newest_rows(
        schema.ALERT_EPISODE,
        ("lasted_s", "peak", "limit", "end"),
        ("severity", "rule", "subject"),
        _SITE,
        limit=_ROWS,
    )
    return table_panel(text, "none", [query], columns)


def noisiest_rules(site: BoardSite) -> Json:
    """Return number and duration of the episodes of 30 days, by rule."""
    text = panel_text(
        site,
        "Alerts of 30 days by rule",
        "Alerts that ended in the last 30 days. A rule that fires often and ends by itself has a"
        " limit that is too tight: `jieneng alerts test RULE --since 90d` tries another one.",
        "No alert has ended in the last 30 days.",
    )
    return _episodes_by(site, text, "rule", _SITE)


def noisiest_meters(site: BoardSite) -> Json:
    """Return number and duration of the episodes of 30 days, by meter."""
    text = panel_text(
        site,
        "Alerts of 30 days by meter",
        "Alerts of meters that ended in the last 30 days.",
        "No alert of a meter has ended in the last 30 days.",
    )
    return _episodes_by(site, text, "subject", {**_SITE, "signal": _signals(("meter",))})


def _episodes_by(site: BoardSite, text: PanelText, by: str, where: Mapping[str, str]) -> Json:
    tr = site.tr
    meters = FieldOverride(
        tr("Meter"),
        values=name_values(site.meter_names()),
        link=(tr("Open this meter"), board_link("one-meter", "meter")),
    )
    count = "lasted_s (count)"
    columns = {
        by: meters if by == "subject" else FieldOverride(tr("Alert"), values=_rules(site)),
        count: FieldOverride(tr("Times fired"), "none", 0, width=80),
        "lasted_s (mean)": FieldOverride(tr("Mean time to recover"), "dtdhms", width=170),
        "lasted_s (max)": FieldOverride(tr("Longest"), "dtdhms", width=150),
    }
    query = newest_rows(schema.ALERT_EPISODE, ("lasted_s",), (by,), where, limit=_EPISODES)
    panel = table_panel(text, "none", [query], columns, sort=(count, True))
    panel["transformations"].insert(0, _grouped(by, lasted_s=("count", "mean", "max")))
    return {**panel, **_MONTH}


def marks(site: BoardSite) -> Json:
    """Return the latest acknowledgements and silences."""
    tr = site.tr
    text = panel_text(
        site,
        "Acknowledgements and silences",
        "Made with `jieneng alerts ack` and `silence`, newest first.",
        "Nobody acknowledged or silenced an alert in this time range.",
    )
    everything = {"*": (tr("all"), colours.TEXT)}
    columns = _subject_columns(site)
    known = {name: override.values or {} for name, override in columns.items()}
    columns = {
        "Time": FieldOverride(tr("Time"), _TIME, width=145),
        "kind": FieldOverride(
            tr("Kind"),
            values={
                "ack": (tr("acknowledged"), colours.GREEN),
                "silence": (tr("silenced"), colours.PURPLE),
            },
            width=110,
        ),
        "rule": FieldOverride(tr("Alert"), values={**known["rule"], **everything}, width=220),
        "subject": FieldOverride(tr("Where"), values={**known["subject"], **everything}, width=200),
        "by": FieldOverride(tr("By"), width=110),
        "reason": FieldOverride(tr("Reason")),
    }
    query = newest_rows(
        schema.ALERT_MARK, ("reason",), ("kind", "rule", "subject", "by"), _SITE, limit=_ROWS
    )
    return table_panel(text, "none", [query], columns)


def alerts_of_meter(site: BoardSite) -> Json:
    """Return the alerts of the chosen meter that are over."""
    text = panel_text(
        site,
        "Alerts of this meter that are over",
        "Newest first. Alerts that fire now are on the board of alerts.",
        "No alert of this meter has ended in this time range.",
    )
    columns = {
        "Time": FieldOverride(site.tr("Fired at"), _TIME, width=145),
        "severity": FieldOverride(site.tr("Severity"), values=severity_words(site.tr), width=105),
        "rule": FieldOverride(
            site.tr("Alert"),
            values=_rules(site),
            link=(site.tr("Open the alerts"), f"/d/{uid('alerts')}"),
        ),
        "lasted_s": FieldOverride(site.tr("Lasted"), "dtdhms", width=130),
        "peak": FieldOverride(site.tr("Worst value"), decimals=2, width=95),
    }
    where = {**_SITE, "subject": "$meter"}
    query = newest_rows(
        schema.ALERT_EPISODE, ("lasted_s", "peak"), ("severity", "rule"), where, limit=_ROWS
    )
    return table_panel(text, "none", [query], columns)


def subject_names(site: BoardSite, kinds: tuple[SubjectKind, ...]) -> dict[str, str]:
    """Return the names of subjects of some kinds, by id."""
    indicators = {
        f"{scope}/{indicator}": f"{name} · {site.indicator_name(indicator)}"
        for scope, name in site.scopes.items()
        for indicator in (*BINDING_INDICATORS, *CAPPED_INDICATORS)
    }
    names = {
        "meter": site.meter_names(),
        "area": site.areas,
        "scope": site.scopes,
        "site": {site.id: site.name},
        "indicator": indicators,
        "bus": {bus.id: bus.id for bus in site.site.bus},
        "agent": {agent: agent for agent in site.agents},
    }
    return {one: name for kind in kinds for one, name in names[kind].items()}


def _subject_columns(site: BoardSite) -> dict[str, FieldOverride]:
    kinds: tuple[SubjectKind, ...] = ("meter", "area", "scope", "indicator", "bus", "agent")
    names = subject_names(site, kinds)
    return {
        "rule": FieldOverride(site.tr("Alert"), values=_rules(site), width=220),
        "subject": FieldOverride(site.tr("Where"), values=name_values(names)),
    }


def _rules(site: BoardSite) -> Mappings:
    """Return the names of the rules, with the units of their values."""
    return name_values(
        {
            rule.id: f"{rule.name} [{rule.unit}]" if rule.unit else rule.name
            for rule in site.alert_rules
        }
    )


def _ends(site: BoardSite) -> Mappings:
    return {
        "1": (f"✓ {site.tr('Recovered')}", colours.GREEN),
        "2": (site.tr("Withdrawn"), colours.GREY),
        "3": (site.tr("No longer watched"), colours.GREY),
    }


def _signals(kinds: tuple[SubjectKind, ...]) -> str:
    return one_of([row.name for row in SIGNALS.values() if row.subject in kinds])


def _only(field: str, value: float) -> Json:
    """Return the transformation that keeps the rows with a value."""
    equal = {"id": "equal", "options": {"value": value}}
    options = {
        "type": "include",
        "match": "all",
        "filters": [{"fieldName": field, "config": equal}],
    }
    return {"id": "filterByValue", "options": options}


def _grouped(by: str, **calcs: tuple[str, ...]) -> Json:
    """Return the transformation that makes a row for each value of a field."""
    fields: Json = {by: {"operation": "groupby", "aggregations": []}}
    for field, names in calcs.items():
        fields[field] = {"operation": "aggregate", "aggregations": list(names)}
    return {"id": "groupBy", "options": {"fields": fields}}
