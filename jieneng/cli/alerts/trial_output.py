"""Print the trial of a rule: sentences and tables for people, or JSON for programs."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from jieneng.locale import number_texts

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from rich.table import Table

    from analytics.alerts.replay.replay_summary import ReplaySummary
    from analytics.pipeline.alerting.rule_trial import Trial
    from jieneng.cli.alerts.site_alerts import SiteAlerts

#: Width of the tables, in either language.
_TABLE_WIDTH: Final = 100
#: Greatest number of subjects that are listed one by one.
_LISTED: Final = 12
_BARS: Final = "▁▂▃▄▅▆▇█"
_DAY_MS: Final = 86_400_000
#: If the signal is known for less than this share of the time, the output warns about it.
_LEAST_KNOWN: Final = 0.9


def to_json(trial: "Trial") -> str:
    """Return a trial as JSON."""
    document = {"rule": _document(trial.summary), "limits": [*map(_document, trial.ladder)]}
    return msgspec.json.format(msgspec.json.encode(document)).decode()


def _document(summary: "ReplaySummary") -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(summary)
    return {**found, "messages": summary.messages}


def print_trial(trial: "Trial", site: "SiteAlerts", *, is_changed: bool) -> None:
    """Print a trial as sentences and tables.

    Args:
        trial: the trial.
        site: the site.
        is_changed: True if the rule differs from the one in the files.
    """
    from rich.console import Console

    from analytics.alerts.replay.rule_toml import rule_toml

    console = Console()
    console.width = max(console.width, _TABLE_WIDTH)
    tr, summary = site.tr, trial.summary
    for line in _sentences(summary, site):
        click.echo(line)
    if summary.fires:
        console.print(_subjects_table(summary, site))
        click.echo(tr("Time of day at which the rule fires"))
        click.echo(_hours(summary.by_hour))
    if len(trial.ladder) > 1:
        console.print(_ladder_table(trial, site))
    if is_changed:
        click.echo(tr("To keep this rule, write it to alerts.toml:"))
        click.echo(rule_toml(summary.rule))


def _sentences(summary: "ReplaySummary", site: "SiteAlerts") -> list[str]:
    from analytics.alerts.texts import alert_texts

    tr, rule = site.tr, summary.rule
    name = alert_texts.alert_name(rule, rule.signal, tr)
    limit = alert_texts.rule_limit(rule, tr)
    lines = [tr("{name} ({rule}): {limit}").format(name=name, rule=rule.id, limit=limit)]
    lines.append(_data_line(summary, site))
    if not summary.fires:
        lines.append(tr("The rule would not have fired."))
        return lines
    weeks = (summary.end_ms - summary.start_ms) / (7 * _DAY_MS)
    once = tr(
        "It would have fired {count} time, {rate} times a week, and some alert would have fired "
        "{share} of the time."
    )
    often = tr(
        "It would have fired {count} times, {rate} times a week, and some alert would have fired "
        "{share} of the time."
    )
    lines.append(
        (once if summary.fires == 1 else often).format(
            count=summary.fires,
            rate=alert_texts.short_number(summary.fires / weeks, 2),
            share=_percent(summary.firing),
        )
    )
    lines.append(_notices_line(summary, site))
    return lines


def _data_line(summary: "ReplaySummary", site: "SiteAlerts") -> str:
    """Return sentences about the known share of the data, because alerts need values to fire."""
    tr = site.tr
    line = tr(
        "{start} to {end}: {subjects} subjects, values known for {share} of the time."
    ).format(
        start=_day(summary.start_ms, site),
        end=_day(summary.end_ms, site),
        subjects=len(summary.subjects),
        share=number_texts.share(summary.known),
    )
    late = (summary.known_from_ms or 0) - summary.start_ms > _DAY_MS
    if late and summary.known_from_ms is not None:
        line += tr(" Known values begin on {day}.").format(day=_day(summary.known_from_ms, site))
    if summary.known is not None and summary.known < _LEAST_KNOWN:
        line += tr(" An alert cannot fire at times without values.")
    return line


def _notices_line(summary: "ReplaySummary", site: "SiteAlerts") -> str:
    from analytics.alerts.texts import alert_texts

    tr, events = site.tr, summary.notices
    parts = tr(", ").join(
        f"{alert_texts.event_name(event, tr)} {events[event]}" for event in events
    )
    if summary.is_cut:
        return tr("More than {count} notices: {parts}, and so on.").format(
            count=summary.messages, parts=parts
        )
    return tr("Notices: {count} ({parts}); most on {day}: {busiest}.").format(
        count=summary.messages,
        parts=parts,
        day=summary.busiest_day or number_texts.UNKNOWN,
        busiest=summary.busiest,
    )


def _subjects_table(summary: "ReplaySummary", site: "SiteAlerts") -> "Table":
    from analytics.alerts.texts import alert_texts

    tr, rule = site.tr, summary.rule
    farthest = tr("Highest value") if rule.is_above else tr("Lowest value")
    table = _table(
        tr("By subject"),
        (tr("Subject"), tr("Fired"), tr("Firing for"), tr("Longest"), farthest, tr("Known")),
    )
    for one in summary.subjects[:_LISTED]:
        peak = number_texts.UNKNOWN
        if one.peak is not None:
            peak = alert_texts.amount(one.peak, rule, rule.signal, tr)
        table.add_row(
            alert_texts.subject_name(rule.signal, one.subject, site.labels, tr),
            str(one.fires),
            alert_texts.duration(one.firing_s, tr) if one.fires else "",
            alert_texts.duration(one.longest_s, tr) if one.fires else "",
            peak,
            number_texts.share(one.known),
        )
    if (more := len(summary.subjects) - _LISTED) > 0:
        table.add_row(tr("{count} more").format(count=more))
    return table


def _ladder_table(trial: "Trial", site: "SiteAlerts") -> "Table":
    from analytics.alerts.texts import alert_texts

    tr = site.tr
    table = _table(
        tr("Other limits"),
        (tr("Limit"), tr("Fired"), tr("Notices"), tr("A week"), tr("Subjects"), tr("Time")),
    )
    for one in trial.ladder:
        rule = one.rule
        limit = alert_texts.limit_of(rule, tr)
        is_own = rule == trial.summary.rule
        weeks = (one.end_ms - one.start_ms) / (7 * _DAY_MS)
        table.add_row(
            f"{limit} ←" if is_own else limit,
            str(one.fires),
            f"> {one.messages}" if one.is_cut else str(one.messages),
            number_texts.UNKNOWN
            if one.is_cut
            else alert_texts.short_number(one.messages / weeks, 2),
            str(sum(1 for subject in one.subjects if subject.fires)),
            _percent(one.firing),
            style="bold" if is_own else "",
        )
    return table


def _table(title: str, headings: Sequence[str]) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=bool(number))
    return table


def _hours(by_hour: Sequence[int]) -> str:
    """Return a line of bars, one for each hour, above a line of hours."""
    most = max(by_hour)
    bars = [" " if not count else _BARS[(len(_BARS) - 1) * count // most] for count in by_hour]
    hours = "".join(f"{hour:<6}" for hour in range(0, len(by_hour), 3))
    return f"  {' '.join(bars)}\n  {hours.rstrip()}"


def _percent(share: float) -> str:
    """Return a share with two digits, so that one hour in a month is not rounded to 0 %."""
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def _day(time_ms: int, site: "SiteAlerts") -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, site.labels.zone):%Y-%m-%d}"
