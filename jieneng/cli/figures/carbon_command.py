"""The command `jieneng carbon`: print the change of carbon against the base year, by cause."""

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
    help=tr(
        "Split the change of carbon against the base year into the effects of activity, supply,"
        " emission factors and floor area."
    ),
    epilog=examples(
        "jieneng carbon --period 2025",
        "jieneng carbon --period 2025 --scope block-1 --format json",
        "jieneng carbon --period 2025 --base 2024",
    ),
)
@site_option
@config_option("analytics.toml")
@click.option("--period", required=True, metavar="P", help=tr("A year 2025, or a month 2025-06."))
@click.option("--base", metavar="P", help=tr("Base year; that of the plan if omitted."))
@scope_option
@format_option("table", "json", "csv")
def carbon(
    site_dir: Path, config_file: Path, period: str, base: str | None, scope: str | None, form: str
) -> None:
    from rich.console import Console

    from analytics import figure_queries
    from analytics.report.analyses import carbon_output
    from jieneng.clock import SystemClock

    folder, settings, translate, names = read_figure_site(site_dir, config_file)
    splits = run_once(figure_queries.carbon(folder, settings, period, base, scope, SystemClock()))
    if form == "json":
        click.echo(carbon_output.to_json(splits, translate, names))
    elif form == "csv":
        click.echo(carbon_output.to_csv(splits), nl=False)
    else:
        Console(width=110).print(carbon_output.split_table(splits, names, translate))
        for remark in carbon_output.remarks(splits, names, translate):
            click.echo(f"- {remark}")
