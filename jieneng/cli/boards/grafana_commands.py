"""`jieneng grafana`: build the boards from Python code into files, or send them to a Grafana."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jieneng.cli.options import examples, site_option, tr
from jieneng.locale import languages, translator
from jieneng.metering.errors import Msgid, UsageError
from jieneng.storage.registry import STORES

if TYPE_CHECKING:
    from analytics.alerts.alert_rule import AlertRules
    from analytics.settings import AnalyticsSettings
    from grafana.alerting.grafana_alerting import Recipients
    from grafana.board_site import BoardSite

_COMMITTED = Path(__file__).resolve().parents[3] / "grafana" / "provisioning"
_EXAMPLE = Path(__file__).resolve().parents[2] / "sites" / "example"


_alerts_option = click.option(
    "--alerts",
    "with_alerts",
    is_flag=True,
    help=tr(
        "Let Grafana notify of all alerts, instead of the analytics: rules, contact points and"
        " quiet hours from alerts.toml."
    ),
)


_language_option = click.option(
    "--language",
    type=click.Choice(languages()),
    default=None,
    help=tr("Language of the boards; the site's if omitted."),
)


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
@_language_option
@_alerts_option
def build(
    site_dir: Path,
    out: Path | None,
    example: bool,
    only_check: bool,
    language: str | None,
    with_alerts: bool,
) -> None:
    from grafana import build as builder

    path = _EXAMPLE if example else site_dir
    of, settings, rules = board_site(path, language)
    target = out or (_COMMITTED if example else path / "grafana")
    receivers = _recipients(rules, path) if with_alerts else None
    if only_check:
        _report_differences(builder.check(of, target, receivers))
    for file in builder.build(of, target, receivers):
        click.echo(file)
    for variable in builder.secret_variables(receivers):
        click.echo(tr(_VARIABLE).format(variable=variable), err=True)
    if STORES[settings.store.kind].embedded and not example:
        click.echo(tr(_SQLITE), err=True)


@grafana.command(
    help=tr(
        "Send the boards of a site to a running Grafana. Boards sent earlier are replaced."
        " The token must belong to a Grafana service account with the role Admin."
    ),
    epilog=examples(
        "jieneng grafana push --url http://127.0.0.1:3000 --token-file grafana.token",
        "jieneng grafana push --url http://127.0.0.1:3000 --token-file grafana.token \\",
        "    --store-user jieneng_grafana --store-password-file secrets/grafana.token",
    ),
)
@site_option
@click.option("--url", required=True, metavar="URL", help=tr("Address of Grafana."))
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    metavar=tr("FILE"),
    help=tr("File with the token; the environment variable GRAFANA_TOKEN if omitted."),
)
@click.option(
    "--store-url",
    default=None,
    metavar="URL",
    help=tr("Address at which Grafana reaches the database; the url in [store] if omitted."),
)
@click.option(
    "--store-user",
    default=None,
    metavar=tr("NAME"),
    help=tr("Read-only account of the database; if given, the data source is set up with it."),
)
@click.option(
    "--store-password-file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    metavar=tr("FILE"),
    help=tr("File with that account's password or token."),
)
@_language_option
@_alerts_option
def push(
    site_dir: Path,
    url: str,
    token_file: Path | None,
    store_url: str | None,
    store_user: str | None,
    store_password_file: Path | None,
    language: str | None,
    with_alerts: bool,
) -> None:
    from grafana import build as builder
    from grafana import push as pusher
    from grafana.alerting.grafana_alerting import grafana_alerting
    from grafana.data_source import Account

    of, settings, rules = board_site(site_dir, language)
    if STORES[settings.store.kind].embedded:
        raise UsageError(_SQLITE)
    source = None
    if store_user is not None:
        source = Account(
            url=store_url or settings.store.url,
            database=settings.store.database,
            user=store_user,
            password=_secret(store_password_file, "GRAFANA_STORE_PASSWORD"),
        )
    target = pusher.Target(url=url, token=_secret(token_file, "GRAFANA_TOKEN"), source=source)
    alerting = grafana_alerting(of, _recipients(rules, site_dir) if with_alerts else None)
    asyncio.run(pusher.push(target, builder.site_boards(of), click.echo, alerting))


def board_site(
    path: Path, language: str | None
) -> "tuple[BoardSite, AnalyticsSettings, AlertRules]":
    """Return a site as its boards show it, the settings of its analytics, and its alert rules."""
    from analytics.alerts.alert_files import load_alert_rules
    from analytics.settings import AnalyticsSettings
    from analytics.site_analytics import load_rules
    from grafana.board_site import BoardSite, NamedBaseline
    from jieneng.cli.boards.board_quotas import board_quotas
    from jieneng.cli.boards.grafana_receivers import watched_rules
    from jieneng.site_folder import load, read_settings

    folder = load(path)
    settings = read_settings(path / "analytics.toml", AnalyticsSettings)
    translate = translator(language or folder.site.site.language)
    rules = load_alert_rules(path, folder.site)
    figure_rules = load_rules(path, settings, folder.site)
    of = BoardSite(
        folder.site,
        translate,
        settings.coverage_floor,
        watched_rules(rules, translate),
        settings.alerts.enabled,
        board_quotas(figure_rules, folder.site.id),
        tuple(
            NamedBaseline(row.id, row.name or row.id, row.reason) for row in figure_rules.baselines
        ),
    )
    return of, settings, rules


def _recipients(rules: "AlertRules", path: Path) -> "Recipients":
    from jieneng.cli.boards.grafana_receivers import recipients

    return recipients(rules, path, lambda sentence: click.echo(sentence, err=True))


def _secret(file: Path | None, variable: str) -> str:
    """Return a secret from its file or from an environment variable.

    Raises:
        UsageError: there is neither, or the file can't be read.
    """
    secret = os.environ.get(variable) if file is None else None
    if file is not None:
        try:
            secret = file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise UsageError(
                "{path} can't be read: {reason}.", path=file, reason=error.strerror
            ) from error
    if not secret:
        raise UsageError(
            "a secret is missing: put it into a file and name the file, or set {variable}.",
            variable=variable,
        )
    return secret


#: Note about a secret that Grafana reads from an environment variable.
_VARIABLE: Msgid = (
    "Grafana needs the environment variable {variable}; without it, it does not start."
)

#: Error for boards of a store that Grafana can't read.
_SQLITE: Msgid = (
    "This site's store is SQLite, which Grafana can't read. For boards, use InfluxDB:"
    ' kind = "influx" in [store] of ingest.toml and analytics.toml.'
)


def _report_differences(differing: list[Path]) -> None:
    for file in differing:
        click.echo(
            tr("{file} differs from what Python builds: run jieneng grafana build.").format(
                file=file
            )
        )
    sys.exit(1 if differing else 0)
