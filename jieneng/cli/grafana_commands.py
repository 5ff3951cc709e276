"""`jieneng grafana`: build the boards, which are Python, into the files that Grafana reads."""

import sys
from pathlib import Path

import click

from jieneng.cli.options import examples, tr
from jieneng.locale import DEFAULT_LANGUAGE, languages

_COMMITTED = Path(__file__).resolve().parents[2] / "grafana" / "provisioning"


@click.group(help=tr("Grafana boards: built from Python into provisioning files."))
def grafana() -> None: ...


@grafana.command(
    help=tr("Write boards, data source and provisioning files."),
    epilog=examples("jieneng grafana build", "jieneng grafana build --check"),
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=_COMMITTED,
    metavar=tr("DIR"),
    help=tr("Folder for the files; grafana/provisioning if omitted."),
)
@click.option(
    "--check", "only_check", is_flag=True, help=tr("Write nothing; fail if a file differs.")
)
@click.option(
    "--language",
    type=click.Choice(languages()),
    default=DEFAULT_LANGUAGE,
    show_default=True,
    help=tr("Language of the boards; the committed ones are in Chinese."),
)
def build(out: Path, only_check: bool, language: str) -> None:
    from grafana import build as builder

    if not only_check:
        for file in builder.build(out, language):
            click.echo(file)
        return
    differing = builder.check(out, language)
    for file in differing:
        click.echo(
            tr("{file} differs from what Python builds: run jieneng grafana build.").format(
                file=file
            )
        )
    sys.exit(1 if differing else 0)
