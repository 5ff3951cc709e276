"""The command `jieneng quality`: print the quality of the data behind the figures of a period."""

from pathlib import Path

import click

from jieneng.cli.options import config_option, examples, run_once, site_option, tr


@click.command(
    help=tr("Rate the data behind the figures of a period, and list what to correct first."),
    epilog=examples(
        "jieneng quality --period 2025",
        "jieneng quality --period 2025 --scope block-1 --format json",
    ),
)
@site_option
@config_option("analytics.toml")
@click.option("--period", required=True, metavar="P", help=tr("A year 2025, or a month 2025-06."))
@click.option("--scope", help=tr("One area, one institution or the site; all of them if omitted."))
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help=tr("Format of the output."),
)
def quality(site_dir: Path, config_file: Path, period: str, scope: str | None, form: str) -> None:
    from rich.console import Console

    from analytics import figure_queries
    from analytics.report.analyses import quality_output
    from analytics.settings import AnalyticsSettings
    from jieneng.clock import SystemClock
    from jieneng.locale import preferred, translator
    from jieneng.locale.finding_text import labels
    from jieneng.site_folder import load, read_settings

    folder = load(site_dir)
    settings = read_settings(site_dir / config_file, AnalyticsSettings)
    translate, names = translator(preferred(folder.site.site.language)), labels(folder.site)
    rated = run_once(figure_queries.quality(folder, settings, period, scope, SystemClock()))
    if form == "json":
        click.echo(quality_output.to_json(rated, translate, names))
    elif form == "csv":
        click.echo(quality_output.to_csv(rated, translate, names), nl=False)
    else:
        console = Console(width=110)
        console.print(quality_output.score_table(rated, names, translate))
        console.print(quality_output.issue_table(rated, names, translate))
        console.print(quality_output.completeness_table(rated, names, translate))
