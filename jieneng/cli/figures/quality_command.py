"""The command `jieneng quality`: print the quality of the data behind the figures of a period."""

from pathlib import Path

import click

from jieneng.cli.figures.figure_site import read_figure_site
from jieneng.cli.options import (
    config_option,
    examples,
    format_option,
    run_once,
    scope_option,
    site_option,
    tr,
)


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
@scope_option
@format_option("table", "json", "csv")
def quality(site_dir: Path, config_file: Path, period: str, scope: str | None, form: str) -> None:
    from rich.console import Console

    from analytics import figure_queries
    from analytics.report.analyses import quality_output
    from jieneng.clock import SystemClock

    folder, settings, translate, names = read_figure_site(site_dir, config_file)
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
