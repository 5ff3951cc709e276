"""The command `jieneng balance`: compare each meter with the meters directly below it."""

import sys
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
        "Compare each meter with the meters directly below it: the rest that no meter measures, and"
        " whether more was measured below."
    ),
    epilog=examples(
        "jieneng balance --period 2025",
        "jieneng balance --site my-site --period 2025 --by month --format csv",
        "jieneng balance --period 2025-06 --scope block-1 --tolerance 2 --strict",
    ),
)
@site_option
@config_option("analytics.toml")
@click.option("--period", required=True, metavar="P", help=tr("A year 2025, or a month 2025-06."))
@click.option(
    "--by",
    "step",
    type=click.Choice(["period", "month", "day"]),
    default="period",
    show_default=True,
    help=tr("Balances of the whole period, of each month or of each day."),
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    metavar="PCT",
    help=tr("Greatest rest that agrees, in percent of the meter above."),
)
@scope_option
@format_option("table", "json", "csv")
@click.option("--strict", is_flag=True, help=tr("Exit with 1 if more was measured below a meter."))
def balance(
    site_dir: Path,
    config_file: Path,
    period: str,
    step: str,
    tolerance: float,
    scope: str | None,
    form: str,
    strict: bool,
) -> None:
    from rich.console import Console

    from analytics import figure_queries
    from analytics.report.analyses import balance_output
    from jieneng.clock import SystemClock

    folder, settings, translate, names = read_figure_site(site_dir, config_file)
    found = run_once(
        figure_queries.balances(folder, settings, period, step, tolerance, scope, SystemClock())  # type: ignore[arg-type]  # step: choices of --by
    )
    if form == "json":
        click.echo(balance_output.to_json(found))
    elif form == "csv":
        click.echo(balance_output.to_csv(found), nl=False)
    elif found:
        Console(width=120).print(balance_output.balance_table(found, names, translate))
    else:
        click.echo(tr("No meter has meters below it. docs/site.md explains the key parent."))
    if strict and any(one.status == "negative" for one in found):
        sys.exit(1)
