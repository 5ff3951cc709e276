"""The command `jieneng alerts notify`: send a sample to receivers, and print the results."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jieneng.cli.options import config_option, examples, run_once, site_option, tr
from jieneng.metering.errors import Msgid, UsageError
from jieneng.metering.spelling import nearest

if TYPE_CHECKING:  # imported when a command runs, so that `--help` is quick
    from analytics.alerts.alert_rule import Receiver
    from analytics.alerts.delivery.retry_plan import Outcome
    from jieneng.cli.alerts.site_alerts import SiteAlerts


@click.command(
    help=tr(
        "Send a sample notice to one receiver of alerts.toml, or to all, and print each"
        " result. Exit with 1 if a notice was not delivered."
    ),
    epilog=examples(
        "jieneng alerts notify --try --site my-site", "jieneng alerts notify --try duty"
    ),
)
@site_option
@config_option("analytics.toml")
@click.option("--try", is_flag=True, required=True, expose_value=False, help=tr("Send a sample."))
@click.argument("receivers", nargs=-1, metavar=tr("[RECEIVER...]"))
def notify(site_dir: Path, config_file: Path, receivers: tuple[str, ...]) -> None:
    from jieneng.cli.alerts.site_alerts import load_site

    site = load_site(site_dir, config_file)
    sentences = [(one.id, _attempt(site, one)) for one in _chosen(site, receivers)]
    for receiver, problem in sentences:
        if problem is None:
            click.echo(tr("{receiver}: sent.").format(receiver=receiver))
        else:
            click.echo(tr("{receiver}: {reason}.").format(receiver=receiver, reason=problem))
    sys.exit(1 if any(problem is not None for _, problem in sentences) else 0)


def _attempt(site: "SiteAlerts", receiver: "Receiver") -> str | None:
    """Send a sample, and return the reason if it could not be delivered, otherwise None."""
    from jieneng.locale import say

    try:
        outcome = run_once(_send(site, receiver))
    except UsageError as error:
        return say(error, tr).rstrip(".。")
    reason: Msgid = outcome.reason
    return None if outcome.kind == "sent" else tr(reason)


def _chosen(site: "SiteAlerts", names: Sequence[str]) -> "list[Receiver]":
    """Return the receivers of these names, or all.

    Raises:
        UsageError: there are no receivers, or there is none with a given name.
    """
    known = {one.id: one for one in site.rules.receivers}
    if not known:
        raise UsageError(
            "alerts.toml names no receiver, so notices are sent to nobody: add a row [[receiver]] "
            "(docs/alerts.md)."
        )
    for name in names:
        if name not in known:
            close = nearest(name, known) or ", ".join(known)
            raise UsageError(
                "there is no receiver {name} in alerts.toml. Did you mean {close}?",
                name=name,
                close=close,
            )
    return [known[name] for name in names or known]


async def _send(site: "SiteAlerts", receiver: "Receiver") -> "Outcome":
    from analytics.alerts.delivery import notify
    from analytics.alerts.delivery.receiver_address import receiver_address
    from analytics.alerts.texts.sample_notice import sample_text
    from jieneng.clock import SystemClock
    from jieneng.locale import translator

    clock = SystemClock()
    address = receiver_address(receiver, site.folder.path)
    translate = translator(receiver.language or site.folder.site.site.language)
    text = sample_text(site.rules, site.folder.site, translate, site.labels, clock.now_ms())
    return await notify.send(address, text.title, text.body, clock)
