"""Check receivers, routes, maintenance and hours of `alerts.toml`. Pure: rows in, problems out.

Law: a check is not applied if a value that it needs could not be read (`UnreadKeys`).
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from analytics.alerts.alert_rule import AlertsFile, Maintenance, Receiver, Route
from analytics.alerts.checking.id_check import repeated_ids, unknown_ids
from analytics.calendar.working_hours import Hours
from jieneng import value_problems
from jieneng.metering.errors import Problem, UnreadKeys
from jieneng.metering.site import Site


class RoutingContext(msgspec.Struct, frozen=True):
    """The site, the ids of rules and the unread places that the checks of routing need.

    Attributes:
        site: the site, which may have mistakes.
        rules: ids of all rules, also of rules that are switched off.
        languages: languages in which texts can be written.
        unread: places of `alerts.toml` that could not be read.
        site_unread: places of `site.toml` that could not be read.
    """

    site: Site
    rules: Collection[str]
    languages: Sequence[str]
    unread: UnreadKeys
    site_unread: UnreadKeys


def routing_problems(file: AlertsFile, context: RoutingContext) -> Iterator[Problem]:
    """Yield the problems of all tables of a site's file except `[[rule]]`."""
    for table in ("receiver", "route", "maintenance"):
        yield from repeated_ids(table, getattr(file, table), context.unread)
    for number, receiver in enumerate(file.receiver):
        yield from _receiver_problems(number, receiver, context)
    for number, route in enumerate(file.route):
        yield from _route_problems(number, route, file.receiver, context)
    for number, maintenance in enumerate(file.maintenance):
        yield from _maintenance_problems(number, maintenance, context)
    if file.hours is not None:
        yield from _hours_problems(file.hours, context.unread)


def _receiver_problems(
    number: int, receiver: Receiver, context: RoutingContext
) -> Iterator[Problem]:
    if receiver.url is not None and receiver.url_file is not None:
        yield Problem(
            text="receiver {receiver} has two addresses, url and url_file.",
            fix="Keep url_file if the address contains a password or a key, else url.",
            values={"receiver": receiver.id},
            path=("receiver", number, "url"),
        )
    if receiver.language not in (None, *context.languages):
        path = ("receiver", number, "language")
        yield value_problems.unknown_choice(receiver.language, context.languages, path)


def _route_problems(
    number: int, route: Route, receivers: Sequence[Receiver], context: RoutingContext
) -> Iterator[Problem]:
    path = ("route", number, "receiver")
    if not context.unread.covers(*path) and not context.unread.hides_ids("receiver"):
        known = [receiver.id for receiver in receivers]
        yield from unknown_ids(route.receiver, known, path)
        if not route.receiver:
            yield Problem(
                text="route {route} leads to no receiver.",
                fix='Write the id of a [[receiver]], for example: receiver = ["{example}"]',
                values={"route": route.id, "example": next(iter(known), "office")},
                path=path,
            )
    if not context.site_unread.hides_ids("area"):
        yield from unknown_ids(route.area, context.site.areas, ("route", number, "area"))


def _maintenance_problems(
    number: int, maintenance: Maintenance, context: RoutingContext
) -> Iterator[Problem]:
    site, unread = context.site, context.unread
    zone_is_known = not context.site_unread.covers("site", "timezone")
    if zone_is_known and not unread.covers_row("maintenance", number, "from", "to"):
        start, end = (at(moment, site.zone) for moment in (maintenance.from_, maintenance.to))
        if end <= start:
            yield Problem(
                text="maintenance {maintenance} ends at {end}, before it begins at {start}.",
                fix="Correct from or to.",
                values={
                    "maintenance": maintenance.id,
                    "start": f"{start:%Y-%m-%d %H:%M}",
                    "end": f"{end:%Y-%m-%d %H:%M}",
                },
                path=("maintenance", number, "to"),
            )
    known: dict[str, Collection[str]] = {
        "area": site.areas,
        "meter": site.meters,
        "bus": site.buses,
        "agent": {bus.agent for bus in site.bus},
    }
    for key, ids in known.items():
        table = "bus" if key == "agent" else key
        if not context.site_unread.hides_ids(table):
            yield from unknown_ids(getattr(maintenance, key), ids, ("maintenance", number, key))
    if not unread.hides_ids("rule"):
        yield from unknown_ids(maintenance.rule, context.rules, ("maintenance", number, "rule"))


def at(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return a moment with its UTC offset; a moment without offset is in the time of the zone."""
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment


def _hours_problems(hours: Hours, unread: UnreadKeys) -> Iterator[Problem]:
    for key in ("working", "night", "quiet"):
        span: tuple[str, ...] = getattr(hours, key)
        if unread.covers("hours", key) or (key == "quiet" and not span):
            continue
        if len(span) != 2 or span[0] == "24:00":
            yield Problem(
                text="{key} must be two times of day, from and to.",
                fix='Write, for example: {key} = ["22:00", "07:00"]',
                values={"key": key},
                path=("hours", key),
            )
        elif span[0] == span[1]:
            yield Problem(
                text="{key} begins and ends at {time}.",
                fix='Write ["00:00", "24:00"] for the whole day.'
                if key != "quiet"
                else "Write [] for no quiet hours.",
                values={"key": key, "time": span[0]},
                path=("hours", key),
            )
    for day in sorted(set(hours.holiday) & set(hours.workday)):
        yield Problem(
            text="{day} is a holiday and a workday.",
            fix="Remove it from one of the two lists.",
            values={"day": day},
            path=("hours", "workday"),
        )
