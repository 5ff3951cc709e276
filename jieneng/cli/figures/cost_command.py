"""The command `jieneng cost`: print the costs of accounts, areas and institutions, and bills."""

from pathlib import Path

import click

from jieneng.cli.figures.figure_site import read_figure_site
from jieneng.cli.options import config_option, examples, format_option, run_once, site_option, tr


@click.command(
    help=tr(
        "Print the costs of energy and water, by account and scope, with the tariffs of"
        " tariffs.toml, and compare bills with the meters."
    ),
    epilog=examples(
        "jieneng cost --period 2026-06",
        "jieneng cost --site my-site --period 2026 --scope block-1",
        "jieneng cost --period 2026-Q2 --format csv",
    ),
)
@site_option
@config_option("analytics.toml")
@click.option(
    "--period", required=True, metavar="P", help=tr("A year 2026, 2026-Q2, 2026-06 or 2026-06-30.")
)
@click.option(
    "--scope",
    help=tr("One account, one area, one institution or the site; all of them if omitted."),
)
@format_option("table", "json", "csv")
def cost(site_dir: Path, config_file: Path, period: str, scope: str | None, form: str) -> None:
    from rich.console import Console

    from analytics import figure_queries
    from analytics.report.analyses import cost_output
    from analytics.tariffs.tariff_files import load_tariffs
    from jieneng.clock import SystemClock

    folder, settings, translate, site_names = read_figure_site(site_dir, config_file)
    tariffs = load_tariffs(folder.path, folder.site)
    if not tariffs.accounts:
        text = tr("There is no account. docs/costs.md shows how to write accounts and prices.")
        click.echo(text, err=form != "table")
    names = cost_output.with_tariffs(site_names, tariffs)
    results = run_once(figure_queries.costs(folder, settings, period, scope, SystemClock()))
    if form == "json":
        click.echo(cost_output.to_json(results, translate, names))
    elif form == "csv":
        click.echo(cost_output.to_csv(results), nl=False)
    elif results:
        Console(width=120).print(cost_output.cost_table(results, names, translate))
        for remark in cost_output.remarks(results, names, translate):
            click.echo(f"- {remark}")
