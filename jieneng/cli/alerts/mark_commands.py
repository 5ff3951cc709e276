"""The commands `jieneng alerts ack`, `silence` and `unsilence`: acknowledge and silence alerts."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jieneng.cli.alerts.span_option import seconds
from jieneng.cli.options import config_option, examples, run_once, site_option, tr
from jieneng.metering.errors import UsageError

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from analytics.alerts.alert import Alert, AlertMark
    from jieneng.cli.alerts.mark_targets import Target
    from jieneng.cli.alerts.site_alerts import SiteAlerts

_by_option = click.option(
    "--by", required=True, metavar=tr("NAME"), help=tr("Your name. Other users see it.")
)
_reason_option = click.option(
    "--reason", default="", metavar=tr("TEXT"), help=tr("The reason. Other users see it.")
)


@click.command(
    help=tr(
        "Acknowledge alerts that fire, to show that you handle them. No reminders are sent"
        " until an alert ends; its end is reported. RULE means all alerts of the rule that"
        " fire now."
    ),
    epilog=examples(
        "jieneng alerts ack water-at-night/w-b1 --by 王工 --reason 正在查漏",
        "jieneng alerts ack meter-silent --by Wang --site my-site",
    ),
)
@site_option
@config_option("analytics.toml")
@_by_option
@_reason_option
@click.argument("names", nargs=-1, required=True, metavar=tr("RULE[/SUBJECT]..."))
def ack(site_dir: Path, config_file: Path, by: str, reason: str, names: tuple[str, ...]) -> None:
    from jieneng.cli.alerts.site_alerts import load_site

    site = load_site(site_dir, config_file)
    for alert in run_once(_acknowledge(site, names, by, reason)):
        click.echo(tr("{alert}: acknowledged by {name}.").format(alert=alert.key, name=by))


async def _acknowledge(
    site: "SiteAlerts", names: tuple[str, ...], by: str, reason: str
) -> "list[Alert]":
    from analytics.alerts.alert import AlertMark
    from jieneng.cli.alerts import site_alerts
    from jieneng.cli.alerts.mark_targets import alerts_to_acknowledge

    now_ms = site_alerts.now_ms()
    async with site_alerts.open_site_store(site) as store:
        found = await site_alerts.read_alerts(site, store, now_ms)
        meant = alerts_to_acknowledge(names, found.alerts)
        marks = [
            AlertMark(
                kind="ack",
                rule=one.rule,
                subject=one.subject,
                by=by,
                at_ms=now_ms,
                until_ms=one.since_ms,
                reason=reason,
            )
            for one in meant
        ]
        await site_alerts.write_marks(site, store, marks)
    return meant


@click.command(
    help=tr(
        "Send no notices about a rule, a meter, an area, a bus or an agent for a while, or"
        " about one alert, RULE/SUBJECT. The alerts are still evaluated and listed. If an"
        " alert still fires when the silence ends, a notice is sent then."
    ),
    epilog=examples(
        "jieneng alerts silence water-at-night --for 4h --by 王工 --reason 冲洗水箱",
        "jieneng alerts silence block-1 --for 2d --by Wang --reason 'switchgear is replaced'",
        "jieneng alerts silence meter-silent/e-b1 --for 30m --by Wang",
    ),
)
@site_option
@config_option("analytics.toml")
@click.option(
    "--for",
    "for_s",
    type=seconds,
    required=True,
    metavar=tr("TIME"),
    help=tr("For how long, such as 30m, 4h or 2d."),
)
@_by_option
@_reason_option
@click.argument("names", nargs=-1, required=True, metavar=tr("RULE|METER|AREA|BUS|AGENT..."))
def silence(
    site_dir: Path,
    config_file: Path,
    for_s: float,
    by: str,
    reason: str,
    names: tuple[str, ...],
) -> None:
    from analytics.alerts.texts import alert_texts
    from jieneng.cli.alerts import site_alerts
    from jieneng.cli.alerts.mark_targets import silence_target

    site = site_alerts.load_site(site_dir, config_file)
    targets = [silence_target(name, site.rules, site.folder.site) for name in names]
    now_ms = site_alerts.now_ms()
    until_ms = now_ms + round(1000 * for_s)
    run_once(_write_silences(site, targets, by, reason, (now_ms, until_ms)))
    until = alert_texts.local_time(until_ms, site.labels)
    for target in targets:
        click.echo(tr("{target}: no notices until {time}.").format(target=target, time=until))


async def _write_silences(
    site: "SiteAlerts", targets: "list[Target]", by: str, reason: str, span_ms: tuple[int, int]
) -> None:
    from analytics.alerts.alert import AlertMark
    from jieneng.cli.alerts import site_alerts

    marks = [
        AlertMark(
            kind="silence",
            rule=target.rule,
            subject=target.subject,
            by=by,
            at_ms=span_ms[0],
            until_ms=span_ms[1],
            reason=reason,
        )
        for target in targets
    ]
    async with site_alerts.open_site_store(site) as store:
        await site_alerts.write_marks(site, store, marks)


@click.command(
    help=tr("End silences early, also silences that someone else began."),
    epilog=examples(
        "jieneng alerts unsilence water-at-night --by 王工",
        "jieneng alerts unsilence block-1 --by Wang --site my-site",
    ),
)
@site_option
@config_option("analytics.toml")
@_by_option
@click.argument("names", nargs=-1, required=True, metavar=tr("RULE|METER|AREA|BUS|AGENT..."))
def unsilence(site_dir: Path, config_file: Path, by: str, names: tuple[str, ...]) -> None:
    from jieneng.cli.alerts import site_alerts
    from jieneng.cli.alerts.mark_targets import Target, silence_target

    site = site_alerts.load_site(site_dir, config_file)
    targets = [silence_target(name, site.rules, site.folder.site) for name in names]
    ended = run_once(_end_silences(site, targets, by))
    if not ended:
        raise UsageError(
            "there is no silence of {names}. List the silences with: jieneng alerts list.",
            names=", ".join(map(str, targets)),
        )
    for mark in ended:
        text = tr("{target}: the silence of {name} has ended.")
        click.echo(text.format(target=Target(mark.rule, mark.subject), name=mark.by))


async def _end_silences(site: "SiteAlerts", targets: "list[Target]", by: str) -> "list[AlertMark]":
    """End the silences of some targets by overwriting them, and return the ended silences."""
    from msgspec.structs import replace

    from analytics.alerts.planning.marked_alerts import silences_of
    from jieneng.cli.alerts import site_alerts

    now_ms = site_alerts.now_ms()
    async with site_alerts.open_site_store(site) as store:
        found = await site_alerts.read_alerts(site, store, now_ms)
        meant = [
            mark
            for mark in silences_of(found.marks, now_ms)
            if (mark.rule, mark.subject) in targets
        ]
        over = [
            replace(mark, at_ms=now_ms, until_ms=now_ms, reason=f"ended by {by}") for mark in meant
        ]
        await site_alerts.write_marks(site, store, over)
    return meant
