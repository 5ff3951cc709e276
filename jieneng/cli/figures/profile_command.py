"""The command `jieneng profile`: print peaks, base loads and the week of meters and scopes."""

from pathlib import Path

import click

from jieneng.cli.figures.figure_site import read_figure_site
from jieneng.cli.options import config_option, examples, format_option, run_once, site_option, tr
from jieneng.metering.errors import UsageError


@click.command(
    help=tr(
        "Print peak demand, load factor, night base load, leak level and the usual week of the"
        " site, an area, an institution or a meter."
    ),
    epilog=examples(
        "jieneng profile --period 2026-06",
        "jieneng profile --period 2026-06 --scope block-1",
        "jieneng profile --site my-site --period 2026 --meter w-main --format csv",
    ),
)
@site_option
@config_option("analytics.toml")
@click.option(
    "--period",
    required=True,
    metavar="P",
    help=tr("Year, quarter, month or day, such as 2026, 2026-Q2 or 2026-06."),
)
@click.option("--scope", metavar="ID", help=tr("The site, an area or an institution; or all."))
@click.option("--meter", metavar="ID", help=tr("A meter, instead of a scope."))
@format_option("table", "json", "csv")
def profile(
    site_dir: Path, config_file: Path, period: str, scope: str | None, meter: str | None, form: str
) -> None:
    from rich.console import Console

    from analytics import figure_queries
    from analytics.report.profiles import profile_export, profile_tables
    from jieneng.clock import SystemClock

    if scope is not None and meter is not None:
        raise UsageError("write either --scope or --meter, not both.")
    folder, settings, translate, names = read_figure_site(site_dir, config_file)
    found = run_once(
        figure_queries.profiles(folder, settings, period, SystemClock(), scope=scope, meter=meter)
    )
    if form == "json":
        click.echo(profile_export.to_json(found, translate, names))
        return
    if form == "csv":
        click.echo(profile_export.to_csv(found, names), nl=False)
        return
    console = Console(width=110)
    if scope is None and meter is None:
        console.print(profile_tables.overview(found, translate, names))
    else:
        for one in found:
            console.print(*profile_tables.details(one, translate, names), sep="\n")
    for line in profile_tables.finding_lines(found, translate, names):
        console.print(line, markup=False)
