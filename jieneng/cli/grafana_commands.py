"""`jieneng grafana`: build the boards, which are Python, into the files that Grafana reads."""

import sys
from pathlib import Path

import click

from jieneng.cli.options import examples, site_option, tr
from jieneng.locale import languages, translator

_COMMITTED = Path(__file__).resolve().parents[2] / "grafana" / "provisioning"
_EXAMPLE = Path(__file__).resolve().parents[1] / "sites" / "example"


@click.group(help=tr("Grafana boards: built from Python into provisioning files."))
def grafana() -> None: ...


@grafana.command(
    help=tr(
        "Write the boards of a site, the data source and the provisioning files. Without --out they"
        " go into the folder `grafana` of the site."
    ),
    epilog=examples(
        "jieneng grafana build --site my-site", "jieneng grafana build --example --check"
    ),
)
@site_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    metavar=tr("DIR"),
    help=tr("Folder for the files."),
)
@click.option("--example", is_flag=True, help=tr("Build the committed files of the example site."))
@click.option(
    "--check", "only_check", is_flag=True, help=tr("Write nothing; fail if a file differs.")
)
@click.option(
    "--language",
    type=click.Choice(languages()),
    default=None,
    help=tr("Language of the boards; the site's if omitted."),
)
def build(
    site_dir: Path, out: Path | None, example: bool, only_check: bool, language: str | None
) -> None:
    from analytics.settings import AnalyticsSettings
    from grafana import build as builder
    from grafana.board_site import BoardSite
    from jieneng.site_folder import load, read_settings

    path = _EXAMPLE if example else site_dir
    folder = load(path)
    settings = read_settings(path / "analytics.toml", AnalyticsSettings)
    of = BoardSite(
        folder.site,
        translator(language or folder.site.site.language),
        settings.coverage_floor,
    )
    target = out or (_COMMITTED if example else path / "grafana")
    if only_check:
        _report_differences(builder.check(of, target))
    for file in builder.build(of, target):
        click.echo(file)
    if settings.store.kind == "sqlite" and not example:
        click.echo(
            tr(
                "This site's store is SQLite, which Grafana can't read. For boards, use InfluxDB:"
                ' kind = "influx" in [store] of ingest.toml and analytics.toml.'
            ),
            err=True,
        )


def _report_differences(differing: list[Path]) -> None:
    for file in differing:
        click.echo(
            tr("{file} differs from what Python builds: run jieneng grafana build.").format(
                file=file
            )
        )
    sys.exit(1 if differing else 0)
