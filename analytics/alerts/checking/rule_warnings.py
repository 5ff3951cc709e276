"""Find probable mistakes in rows of `alerts.toml`. Pure: rules in, warnings out.

Law: a row with a warning is used all the same. Only rows without mistakes are checked here.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

import msgspec

from analytics.alerts.alert_rule import (
    SEVERITIES,
    AlertRule,
    AlertsFile,
    Maintenance,
    Receiver,
    Route,
)
from analytics.alerts.checking.routing_check import at
from analytics.alerts.checking.rule_check import is_share
from analytics.alerts.rule_subjects import subjects, watched_meters
from analytics.calendar.working_calendar import years_without_holidays
from analytics.calendar.working_hours import Hours
from jieneng.metering.alert_signals import SIGNALS
from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.errors import Problem
from jieneng.metering.site import Site
from jieneng.value_examples import toml_text

#: Shortest interval of reminders without a warning [s]; more frequent reminders are a nuisance.
_SHORTEST_REMINDER_S: Final = 600.0
#: Longest maintenance without a warning; people forget that a longer maintenance hides faults.
_LONGEST_MAINTENANCE: Final = timedelta(days=31)
#: A limit of `reading_age` gets a warning if it is less than this number of polling intervals,
#: because one lost poll would nearly fire the alert.
_FEWEST_INTERVALS: Final = 3.0
_MAX_NAMED: Final = 5  # greatest number of ids in a sentence


class WarningContext(msgspec.Struct, frozen=True):
    """The site, its meter models and the years that the checks need.

    Attributes:
        site: the site, without mistakes.
        models: meter models by id; meters of other models are not checked.
        years: calendar years whose public holidays are needed.
    """

    site: Site
    models: Mapping[str, Model]
    years: Sequence[int]


def alert_warnings(file: AlertsFile, context: WarningContext) -> Iterator[Problem]:
    """Yield the warnings of a site's file, with paths in the file."""
    for number, rule in enumerate(file.rule):
        if rule.enabled and rule.signal:
            for warning in _rule_warnings(rule, context):
                yield msgspec.structs.replace(warning, path=("rule", number, *warning.path))
    yield from _receiver_warnings(file.receiver, file.route)
    for number, route in enumerate(file.route):
        yield from _route_warnings(number, route)
    if file.receiver and file.route:
        yield from _unrouted_severities(file.route)
    for number, maintenance in enumerate(file.maintenance):
        yield from _maintenance_warnings(number, maintenance, context.site)
    yield from _calendar_warnings(file.hours or Hours(), context)


def _rule_warnings(rule: AlertRule, context: WarningContext) -> Iterator[Problem]:
    if not subjects(rule, context.site):
        yield _nothing_watched(rule, context.site)
        return
    yield from _unmeasured_quantity(rule, context)
    yield from _small_share(rule)
    yield from _short_silence(rule, context.site)
    if 0 < rule.remind_s < _SHORTEST_REMINDER_S:
        yield Problem(
            text="rule {rule} reminds every {seconds} s while it fires.",
            fix="Write remind_s = 86400.0 for once a day, or 0 for no reminders.",
            values={"rule": rule.id, "seconds": toml_text(rule.remind_s)},
            path=("remind_s",),
        )


def _nothing_watched(rule: AlertRule, site: Site) -> Problem:
    """Return the warning of a rule without subjects."""
    values, meters = {"rule": rule.id}, watched_meters(rule, site)
    if meters and rule.signal == "imbalance":
        return Problem(
            text="rule {rule} watches nothing: none of its meters has meters below it.",
            fix="Name meters that are the parent of other meters, or remove the line meter.",
            values=values,
        )
    if meters and rule.signal != "night_flow":
        return Problem(
            text="rule {rule} watches nothing: none of its meters is polled.",
            fix="Meters without a bus are read by hand or import; the signal deviation watches"
            " them.",
            values=values,
        )
    return Problem(
        text="rule {rule} watches nothing: nothing of the site matches it.",
        fix="A meter must match medium, area and meter at once; remove the keys that are not"
        " needed.",
        values=values,
    )


def _unmeasured_quantity(rule: AlertRule, context: WarningContext) -> Iterator[Problem]:
    """Yield a warning if the models of all watched meters lack the rule's quantity.

    There is no warning if a meter has no model, because imported files may have the quantity.
    """
    if rule.quantity is None:
        return
    lacking = []
    for meter in watched_meters(rule, context.site):
        model = context.models.get(meter.model or "")
        if model is None or rule.quantity in {point.quantity for point in model.point}:
            return
        lacking.append(meter.id)
    yield Problem(
        text="rule {rule} watches nothing: no model of its meters has {quantity} ({meters}).",
        fix="Choose a quantity that their models have, or other meters.",
        values={"rule": rule.id, "quantity": rule.quantity, "meters": _named(lacking)},
        path=("quantity",),
    )


def _small_share(rule: AlertRule) -> Iterator[Problem]:
    if is_share(SIGNALS[rule.signal]) and 0 < rule.limit <= 1:
        yield Problem(
            text="rule {rule}: the limit {limit} is in percent, and very small.",
            fix="If a share of 1 was meant, write {percent}.",
            values={
                "rule": rule.id,
                "limit": toml_text(rule.limit),
                "percent": toml_text(100.0 * rule.limit),
            },
            path=("above" if rule.is_above else "below",),
        )


def _short_silence(rule: AlertRule, site: Site) -> Iterator[Problem]:
    """Yield a warning if meters are read so rarely that the alert would fire between readings."""
    if rule.signal != "reading_age":
        return
    slow = [
        meter
        for meter in watched_meters(rule, site)
        if meter.bus is not None and meter.interval_s * _FEWEST_INTERVALS > rule.limit
    ]
    if slow:
        yield Problem(
            text="rule {rule} calls a meter silent after {limit} s, but {meters} are read every"
            " {interval} s."
            if len(slow) > 1
            else "rule {rule} calls a meter silent after {limit} s, but {meters} is read every"
            " {interval} s.",
            fix="Write at least {least}, or a rule of its own for meters that are read seldom.",
            values={
                "rule": rule.id,
                "limit": toml_text(rule.limit),
                "meters": _named([meter.id for meter in slow]),
                "interval": toml_text(max(meter.interval_s for meter in slow)),
                "least": toml_text(_FEWEST_INTERVALS * max(meter.interval_s for meter in slow)),
            },
            path=("above",),
        )


def _receiver_warnings(receivers: Sequence[Receiver], routes: Sequence[Route]) -> Iterator[Problem]:
    routed = {receiver for route in routes for receiver in route.receiver}
    for number, receiver in enumerate(receivers):
        if routes and receiver.id not in routed:
            yield Problem(
                text="receiver {receiver} gets nothing: no route names it.",
                fix="Name it in a [[route]], or remove it.",
                values={"receiver": receiver.id},
                path=("receiver", number),
            )


def _route_warnings(number: int, route: Route) -> Iterator[Problem]:
    if route.digest is not None and "critical" in (route.severity or SEVERITIES):
        yield Problem(
            text="route {route}: critical notices wait until {digest}.",
            fix='Write severity = ["info"] or severity = ["warning", "info"] here, and a route'
            " without digest for critical ones.",
            values={"route": route.id, "digest": route.digest},
            path=("route", number, "digest"),
        )


def _unrouted_severities(routes: Sequence[Route]) -> Iterator[Problem]:
    """Yield a warning for each severity above `info` whose notices do not all match a route."""
    for severity in SEVERITIES[:0:-1]:
        taken = [route for route in routes if severity in (route.severity or SEVERITIES)]
        if all(route.area or route.medium for route in taken):
            yield Problem(
                text="no route takes {severity} notices of all areas and media: some reach nobody."
                if taken
                else "no route takes {severity} notices: they reach nobody.",
                fix="Add the severity to a [[route]] without area and medium.",
                values={"severity": severity},
                path=("route", 0),
            )


def _maintenance_warnings(number: int, row: Maintenance, site: Site) -> Iterator[Problem]:
    length = at(row.to, site.zone) - at(row.from_, site.zone)
    if length > _LONGEST_MAINTENANCE:
        yield Problem(
            text="maintenance {maintenance} lasts {days} days, and no notices about faults are sent"
            " in this time.",
            fix="Make it end when the work ends, or switch the rule off.",
            values={"maintenance": row.id, "days": length.days},
            path=("maintenance", number, "to"),
        )


def _calendar_warnings(hours: Hours, context: WarningContext) -> Iterator[Problem]:
    for year in years_without_holidays(context.years, hours, context.site.zone):
        yield Problem(
            text="the public holidays of {year} are not known: only weekends count as days off.",
            fix="Update the software, or write the days to [hours] holiday and workday.",
            values={"year": year},
            path=("hours",),
        )


def _named(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:_MAX_NAMED])
    return f"{shown}, ..." if len(ids) > _MAX_NAMED else shown
