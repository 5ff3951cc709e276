"""Choose the receivers of a notice, and the time at which it is sent to each receiver. Pure.

Laws:

1. All routes that match a notice are used. Without any `[[route]]`, each notice goes to each
   receiver.
2. A receiver of several matching routes gets a notice only once: by a route without digest if there
   is one, else by the route whose time comes first.
3. In quiet hours a notice below `critical` waits until they end, unless its route has
   `quiet = false`.
"""

from collections.abc import Collection

import msgspec

from analytics.alerts.alert import Notice
from analytics.alerts.alert_rule import AlertRules, Route
from analytics.calendar.working_calendar import WorkingCalendar
from jieneng.metering.alert_signals import SIGNALS
from jieneng.metering.indicators import INDICATORS
from jieneng.metering.quantities import Medium
from jieneng.metering.site import Meter, Site


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver of a notice.

    Attributes:
        receiver: id of the receiver.
        due_ms: time from which on the notice may be sent [UTC, ms].
        is_digest: True if the notice is sent in a digest.
    """

    receiver: str
    due_ms: int
    is_digest: bool = False


class NoticeRoutes:
    """The routes of a site.

    Args:
        rules: rules of the site.
        site: the site.
        calendar: the working calendar, with the quiet hours.
    """

    def __init__(self, rules: AlertRules, site: Site, calendar: WorkingCalendar) -> None:
        self._rules = rules
        self._calendar = calendar
        self._site = site
        everybody = tuple(receiver.id for receiver in rules.receivers)
        self._routes = rules.routes or (Route(id="all", receiver=everybody),)

    def assign(self, notice: Notice, now_ms: int) -> tuple[Assignment, ...]:
        """Return the receivers of a notice; none if no route matches."""
        known = {receiver.id for receiver in self._rules.receivers}
        found: dict[str, Assignment] = {}
        for route in self._routes:
            if not self._matches(route, notice):
                continue
            due_ms = self._due_ms(route, notice, now_ms)
            for receiver in route.receiver:
                one = Assignment(
                    receiver=receiver, due_ms=due_ms, is_digest=route.digest is not None
                )
                if receiver in known and _is_sooner(one, found.get(receiver)):
                    found[receiver] = one
        return tuple(found.values())

    def _matches(self, route: Route, notice: Notice) -> bool:
        if route.severity and notice.severity not in route.severity:
            return False
        places = [subject_place(self._site, one.signal, one.subject) for one in notice.alerts]
        return _is_met(route.area, {a for areas, _ in places for a in areas}) and _is_met(
            route.medium, {medium for _, media in places for medium in media}
        )

    def _due_ms(self, route: Route, notice: Notice, now_ms: int) -> int:
        if route.digest is not None:
            return self._calendar.next_time(route.digest, now_ms)
        if notice.severity == "critical" or not route.quiet:
            return now_ms
        return self._calendar.quiet_until(now_ms)


def subject_place(site: Site, signal: str, subject: str) -> tuple[set[str], set[Medium]]:
    """Return the areas of a subject, with all areas that contain them, and its media.

    A bus or an agent has the areas and media of its meters. A subject that concerns the whole site
    has no area, so a route for an area does not match it.

    Args:
        site: the site.
        signal: name of the signal.
        subject: id of the subject; see `SubjectKind`.
    """
    kind = SIGNALS[signal].subject
    scope, _, indicator = subject.partition("/")
    if kind in {"meter", "bus", "agent"}:
        meters = _meters_below(site, kind, subject)
        areas = {meter.last_area for meter in meters}
    else:
        areas = {area.id for area in site.area if area.id == scope or scope in area.institutions}
        meters = [
            meter
            for meter in site.meter
            if not areas or not areas.isdisjoint(areas_around(site, meter.last_area))
        ]
    media: set[Medium] = {meter.medium for meter in meters}
    if indicator in INDICATORS:
        media = set(INDICATORS[indicator].media)
    return {outer for area in areas for outer in areas_around(site, area)}, media


def _meters_below(site: Site, kind: str, subject: str) -> list[Meter]:
    if kind == "meter":
        return [site.meters[subject]] if subject in site.meters else []
    buses = {bus.id for bus in site.bus if subject == (bus.id if kind == "bus" else bus.agent)}
    return [meter for meter in site.meter if meter.bus in buses]


def areas_around(site: Site, area: str) -> tuple[str, ...]:
    """Return an area and the areas that contain it, the innermost first."""
    found: dict[str, None] = {}
    at: str | None = area
    while at is not None and at in site.areas and at not in found:
        found[at] = None
        at = site.areas[at].parent
    return tuple(found)


def _is_met(wanted: Collection[str], found: Collection[str]) -> bool:
    return not wanted or not set(wanted).isdisjoint(found)


def _is_sooner(one: Assignment, other: Assignment | None) -> bool:
    return other is None or (one.is_digest, one.due_ms) < (other.is_digest, other.due_ms)
