"""The command `jieneng quotas`: print the quota level that each building reaches, and its rank."""

import sys
from pathlib import Path

import click

from jieneng.cli.options import config_option, examples, run_once, site_option, tr


@click.command(
    help=tr("Compare buildings with the quotas of quotas.toml in a year, and rank them."),
    epilog=examples(
        "jieneng quotas --period 2025",
        "jieneng quotas --site my-site --period 2025 --format csv",
        "jieneng quotas --period 2025 --strict",
    ),
)
@site_option
@config_option("analytics.toml")
@click.option("--period", required=True, metavar="P", help=tr("A year, such as 2025."))
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help=tr("Format of the output."),
)
@click.option("--strict", is_flag=True, help=tr("Exit with 1 if a constraint is exceeded."))
def quotas(site_dir: Path, config_file: Path, period: str, form: str, strict: bool) -> None:
    from rich.console import Console

    from analytics import app
    from analytics.report import quota_output
    from analytics.settings import AnalyticsSettings
    from jieneng.clock import SystemClock
    from jieneng.locale import preferred, translator
    from jieneng.locale.finding_text import labels
    from jieneng.site_folder import load, read_settings

    folder = load(site_dir)
    settings = read_settings(site_dir / config_file, AnalyticsSettings)
    translate = translator(preferred(folder.site.site.language))
    results = run_once(app.quotas(folder, settings, period, SystemClock()))
    if form == "json":
        click.echo(quota_output.to_json(results, translate, labels(folder.site)))
    elif form == "csv":
        click.echo(quota_output.to_csv(results), nl=False)
    elif results:
        table = quota_output.quota_table(results, labels(folder.site), translate)
        Console(width=110).print(table)
    else:
        text = tr("No quota is in force. docs/rules.md shows how to write rows into quotas.toml.")
        click.echo(text)
    if strict and any(result.level == "above" for result in results):
        sys.exit(1)
