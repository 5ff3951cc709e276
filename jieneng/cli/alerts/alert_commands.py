"""The command `jieneng alerts list`, and the group that holds all commands of alerts."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from jieneng.cli.alerts import mark_commands, notify_command, rule_commands, trial_command
from jieneng.cli.alerts.span_option import seconds
from jieneng.cli.options import config_option, examples, format_option, run_once, site_option, tr

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from analytics.pipeline.alerting.current_alerts import CurrentAlerts
    from jieneng.cli.alerts.site_alerts import SiteAlerts

#: Width of the tables, in either language.
_TABLE_WIDTH: Final = 100


@click.group(
    help=tr(
        "Alerts: what fires, who looks after it, and how often a rule would have fired. The rules "
        "are in alerts.toml."
    ),
    epilog=examples(
        "jieneng alerts list --site my-site",
        "jieneng alerts ack water-at-night/w-b1 --by 王工",
        "jieneng alerts silence block-1 --for 4h --by 王工 --reason 检修",
        "jieneng alerts test water-at-night --since 90d --above 0.5",
        "jieneng alerts notify --try",
    ),
)
def alerts() -> None: ...


@alerts.command(
    "list",
    help=tr(
        "List the alerts that fire or are pending, those that ended lately, the silences, and "
        "notices that did not arrive."
    ),
    epilog=examples(
        "jieneng alerts list --site my-site",
        "jieneng alerts list --since 30d",
        "jieneng alerts list --format json --strict",
    ),
)
@site_option
@config_option("analytics.toml")
@click.option(
    "--since",
    "since_s",
    type=seconds,
    default="7d",
    metavar=tr("TIME"),
    help=tr("Also list alerts that ended within this time, such as 24h. Default: 7d."),
)
@format_option("table", "json")
@click.option(
    "--strict", is_flag=True, help=tr("Exit with 1 if an alert fires that nobody silenced.")
)
def list_alerts(site_dir: Path, config_file: Path, since_s: float, form: str, strict: bool) -> None:
    from jieneng.cli.alerts import alert_list, site_alerts

    site = site_alerts.load_site(site_dir, config_file)
    now_ms = site_alerts.now_ms()
    found = run_once(_read(site, now_ms))
    since_ms = now_ms - round(1000 * since_s)
    if form == "json":
        click.echo(alert_list.to_json(site, found, now_ms, since_ms))
    else:
        _print_tables(site, found, now_ms, since_ms)
    if strict and any(one.phase == "firing" and not one.silenced for one in found.alerts):
        sys.exit(1)


async def _read(site: "SiteAlerts", now_ms: int) -> "CurrentAlerts":
    from jieneng.cli.alerts import site_alerts

    async with site_alerts.open_site_store(site) as store:
        return await site_alerts.read_alerts(site, store, now_ms)


def _print_tables(site: "SiteAlerts", found: "CurrentAlerts", now_ms: int, since_ms: int) -> None:
    from rich.console import Console

    from analytics.alerts.planning.marked_alerts import silences_of
    from analytics.alerts.texts.alert_row import alert_rows
    from analytics.report import alert_tables
    from jieneng.cli.alerts import alert_list, notice_list

    console = Console()
    # a key that is cut off could be taken for another key
    console.width = max(console.width, _TABLE_WIDTH)
    rows = alert_rows(found.alerts, site.rules, site.tr, site.labels, now_ms, since_ms=since_ms)
    if rows:
        console.print(alert_tables.terminal_table(rows, site.tr))
    else:
        click.echo(site.tr("No alert fires now, and no alert ended lately."))
    if silences := silences_of(found.marks, now_ms):
        console.print(alert_list.silences_table(silences, site, now_ms))
    if notices := notice_list.undelivered(site):
        console.print(notice_list.notices_table(notices, site, now_ms))
    if line := alert_list.evaluation_line(site, found.evaluated_ms, now_ms):
        click.echo(line, err=True)


for command in (
    mark_commands.ack,
    mark_commands.silence,
    mark_commands.unsilence,
    rule_commands.rules,
    trial_command.test,
    notify_command.notify,
):
    alerts.add_command(command)
