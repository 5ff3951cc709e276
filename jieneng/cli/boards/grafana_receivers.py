"""Translate `alerts.toml` for Grafana: names of rules, and receivers by severity.

This module belongs to the command line, because neither the analytics nor the boards may import the
other.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from jieneng.cli.options import tr
from jieneng.locale import Translate
from jieneng.locale.number_texts import unit
from jieneng.metering.errors import UsageError

if TYPE_CHECKING:
    from analytics.alerts.alert_rule import AlertRules, Receiver, Route
    from grafana.alerting.contact_points import Integration
    from grafana.alerting.grafana_alerting import Recipients
    from grafana.watched_rule import WatchedRule


def watched_rules(rules: "AlertRules", translate: Translate) -> "tuple[WatchedRule, ...]":
    """Return names and units of all rules of a site, including the rules that are switched off."""
    from analytics.alerts.texts.alert_texts import alert_name, signal_unit, subject_kind
    from grafana.watched_rule import WatchedRule

    return tuple(
        WatchedRule(
            id=rule.id,
            name=alert_name(rule, rule.signal, translate),
            unit=_unit(signal_unit(rule, rule.signal), translate),
            subject=subject_kind(rule.signal),
        )
        for rule in (*rules.rules, *rules.disabled)
    )


def _unit(name: str, translate: Translate) -> str:
    """Return a unit as it stands behind a number."""
    counted = {
        "s": translate("{count} s"),
        "d": translate("{count} d"),
        "times": translate("{count} times"),
        "samples": translate("{count} samples"),
        "1": "",
    }
    return counted[name].format(count="").strip() if name in counted else unit(name, translate)


def recipients(rules: "AlertRules", folder: Path, report: Callable[[str], None]) -> "Recipients":
    """Return the receivers of each severity as Grafana addresses them.

    Args:
        rules: rules of the site, with its receivers and routes.
        folder: folder of the site, in which files with addresses lie.
        report: called with a sentence for each receiver and route that Grafana can't represent.
    """
    from grafana.alerting.grafana_alerting import Recipients
    from grafana.watched_rule import SEVERITIES

    known = dict(_integrations(rules.receivers, folder, report))
    routes = list(_plain_routes(rules.routes, report))
    return Recipients(
        integrations={
            severity: tuple(
                known[one]
                for one in dict.fromkeys(
                    receiver
                    for route in routes
                    if not route.severity or severity in route.severity
                    for receiver in route.receiver
                )
                if one in known
            )
            for severity in SEVERITIES
        },
        quiet=(rules.hours.quiet[0], rules.hours.quiet[1]) if rules.hours.quiet else None,
    )


def _plain_routes(routes: "tuple[Route, ...]", report: Callable[[str], None]) -> "Iterator[Route]":
    for route in routes:
        if route.area or route.medium:
            report(
                tr(
                    "route {route} selects by area or medium, which alerts in Grafana do not state:"
                    " left out."
                ).format(route=route.id)
            )
        else:
            yield route


def _integrations(
    receivers: "tuple[Receiver, ...]", folder: Path, report: Callable[[str], None]
) -> "Iterator[tuple[str, Integration]]":
    from grafana.alerting.contact_points import integration

    for receiver in receivers:
        address = _address(receiver, folder)
        if address is None:
            report(
                tr("receiver {receiver} has no address here: left out.").format(
                    receiver=receiver.id
                )
            )
            continue
        found = integration(receiver.id, address, is_secret=receiver.url is None)
        if found is None:
            report(
                tr(
                    "Grafana can't send to receiver {receiver}: it supports mail, webhooks, WeCom"
                    " and DingTalk without a signature. Left out."
                ).format(receiver=receiver.id)
            )
        else:
            yield receiver.id, found


def _address(receiver: "Receiver", folder: Path) -> str | None:
    from analytics.alerts.delivery.receiver_address import receiver_address

    try:
        return receiver_address(receiver, folder)
    except UsageError:  # it may be on another machine only
        return None
