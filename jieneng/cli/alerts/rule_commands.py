"""The command `jieneng alerts rules`: list the rules of a site and the files that define them."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from jieneng.cli.options import config_option, examples, site_option, tr

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from analytics.alerts.alert_rule import AlertRule
    from jieneng.cli.alerts.site_alerts import SiteAlerts

#: Width of the table, in either language.
_TABLE_WIDTH: Final = 110


@click.command(
    help=tr("List the rules: limit, severity, what they watch, and the file that they come from."),
    epilog=examples("jieneng alerts rules --site my-site"),
)
@site_option
@config_option("analytics.toml")
def rules(site_dir: Path, config_file: Path) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from analytics.alerts.alert_files import packaged_alert_rules
    from jieneng.cli.alerts.site_alerts import load_site

    site = load_site(site_dir, config_file)
    packaged = packaged_alert_rules()
    translate = site.tr
    table = Table(header_style="dim", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in (translate("Rule"), translate("Limit"), translate("Severity")):
        table.add_column(heading, overflow="fold")
    table.add_column(translate("Watches"), justify="right", no_wrap=True)
    table.add_column(translate("Source"), no_wrap=True)
    for rule in (*site.rules.rules, *site.rules.disabled):
        table.add_row(*_cells(rule, site, packaged.get(rule.id)))
    console = Console()
    # an id that is cut off could be taken for another id
    console.width = max(console.width, _TABLE_WIDTH)
    console.print(table)


def _cells(rule: "AlertRule", site: "SiteAlerts", packaged: "AlertRule | None") -> list[str]:
    from rich.markup import escape

    from analytics.alerts import rule_subjects
    from analytics.alerts.texts import alert_texts

    translate = site.tr
    name = escape(alert_texts.alert_name(rule, rule.signal, translate))
    count = len(rule_subjects.subjects(rule, site.folder.site))

    kind = alert_texts.kind_word(alert_texts.subject_kind(rule.signal), translate)
    watched = translate("{name}: {text}").format(name=kind, text=count)
    return [
        f"{name}\n[dim]{rule.id}[/dim]",
        f"{alert_texts.rule_limit(rule, translate)}\n[dim]{_value_name(rule, site)}[/dim]",
        alert_texts.severity_word(rule.severity, translate),
        watched if rule.enabled else translate("switched off"),
        translate("packaged") if rule == packaged else "alerts.toml",
    ]


def _value_name(rule: "AlertRule", site: "SiteAlerts") -> str:
    from analytics.alerts.texts import alert_texts

    if not alert_texts.has_value(rule, rule.signal):
        return ""
    return alert_texts.value_name(rule, rule.signal, site.tr)
