"""The command `jieneng publish`: keep the figures of a period with a responsible person's name."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jieneng.cli.options import config_option, examples, run_once, site_option, tr
from jieneng.metering.errors import UsageError

if TYPE_CHECKING:  # imported when the command runs, so that `--help` is quick
    from collections.abc import Sequence

    from analytics.publications.publication import Publication
    from analytics.publications.restatement import Difference
    from jieneng.site_folder import SiteFolder


@click.command(
    help=tr(
        "Publish the figures of a finished period: keep them with the site, the factors and"
        " the plan that they were computed from. If the period is published already, its"
        " figures are computed again and compared with the published ones; they are replaced"
        " only with --restate."
    ),
    epilog=examples(
        "jieneng publish 2025 --site my-site --by 张三",
        "jieneng publish 2025 --site my-site",
        "jieneng publish 2025 --site my-site --restate --by 张三 --reason 补导8月读数",
    ),
)
@click.argument("period", metavar=tr("PERIOD"))
@site_option
@config_option("analytics.toml")
@click.option("--by", default="", help=tr("Name of the person responsible for the figures."))
@click.option("--restate", is_flag=True, help=tr("Replace a publication; the old one is kept."))
@click.option("--reason", default="", help=tr("Reason of a restatement."))
def publish(
    period: str, site_dir: Path, config_file: Path, by: str, restate: bool, reason: str
) -> None:
    import msgspec

    from analytics import figure_queries
    from analytics.publications import publication_files
    from analytics.publications.restatement import changed_inputs, differences
    from analytics.settings import AnalyticsSettings
    from jieneng.clock import SystemClock
    from jieneng.site_folder import load, read_settings

    if restate and not (by and reason):
        raise UsageError("a restatement needs --by (who restates) and --reason (why).")
    folder = load(site_dir)
    settings = read_settings(site_dir / config_file, AnalyticsSettings)
    published = publication_files.read(site_dir, period)
    if restate and published is None:
        raise UsageError("{period} was not published yet: leave out --restate.", period=period)
    if published is None and not by:
        raise UsageError(
            "name the person responsible for the figures of {period}: --by NAME.", period=period
        )
    now, again = run_once(
        figure_queries.publication(folder, settings, period, SystemClock(), published)
    )
    if published is None:
        _write(site_dir, msgspec.structs.replace(now, by=by))
        return
    found = differences(published, again, now)
    causes = changed_inputs(published, now)
    if not found:
        text = tr(
            "Published by {by}: all figures of {period} were computed again and equal the"
            " published figures."
        )
        click.echo(text.format(by=published.by, period=period))
        return
    _print_differences(folder, published, found, causes)
    if not restate:
        click.echo(tr("To replace them: --restate --by NAME --reason WHY."))
        sys.exit(1)
    restated = msgspec.structs.replace(
        now, by=by, reason=reason, number=published.number + 1, restates=published.digest
    )
    _write(site_dir, restated)


def _write(site_dir: Path, publication: "Publication") -> None:
    """Write a publication, and print what it contains."""
    from analytics.publications import publication_files

    file = publication_files.write(site_dir, publication)
    doubtful = sum(
        figure["status"] in ("doubtful", "insufficient_data") for figure in publication.figures
    )
    text = tr("{file}: {count} figures of {period}; responsible: {by}.")
    click.echo(
        text.format(
            file=file, count=len(publication.figures), period=publication.period, by=publication.by
        )
    )
    if doubtful:
        text = tr("Figures that are doubtful or lack data: {count}.")
        click.echo(text.format(count=doubtful))


def _print_differences(
    folder: "SiteFolder",
    published: "Publication",
    found: "Sequence[Difference]",
    causes: "Sequence[str]",
) -> None:
    """Print the figures that differ from a publication, and the inputs that have changed."""
    from rich.console import Console
    from rich.table import Table

    from analytics.report import figure_texts
    from jieneng.locale.finding_text import labels

    names = labels(folder.site)
    table = Table(title=tr("Different from the figures published by {by}").format(by=published.by))
    for heading in (tr("Scope"), tr("Indicator"), tr("Field"), tr("Published")):
        table.add_column(heading)
    table.add_column(tr("By the published rules"))
    table.add_column(tr("Now"))
    for one in found:
        indicator = figure_texts.indicator_name(one.indicator, tr)
        shown = (one.published, one.as_published, one.now)
        table.add_row(
            names.name(one.scope),
            f"{indicator} ({one.series})" if one.series else indicator,
            one.field,
            *("—" if value is None else str(value) for value in shown),
        )
    Console(width=120).print(table)
    words = {
        "consumption": tr("the stored consumption"),
        "site": tr("the site (site.toml, denominators.toml)"),
        "rules": tr("factors, plan or settings"),
        "version": tr("the version of the software"),
    }
    changed = tr(", ").join(words[cause] for cause in causes) or tr("none of the kept inputs")
    click.echo(tr("Changed since then: {inputs}.").format(inputs=changed))
