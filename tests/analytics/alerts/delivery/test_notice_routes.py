"""Routes choose by severity, area and medium; digests and quiet hours give the time."""

from datetime import datetime
from pathlib import Path

import pytest

from analytics.alerts.alert_rule import AlertRules, Receiver, Route, Severity
from analytics.alerts.delivery.notice_routes import NoticeRoutes
from analytics.calendar.working_calendar import WorkingCalendar
from analytics.calendar.working_hours import Hours
from jieneng.metering.site import Site
from tests.analytics.alerts.delivery.notices import notice
from tests.analytics.sites import folder

SITE = """
[[institution]]
id = "office-a"
name = "office-a"

[[area]]
id = "campus"
name = "campus"

[[area]]
id = "block-1"
name = "block 1"
parent = "campus"
institutions = ["office-a"]

[[area]]
id = "floor-2"
name = "floor 2"
parent = "block-1"

[[area]]
id = "block-2"
name = "block 2"
parent = "campus"

[[bus]]
id = "plant"
agent = "agent-1"
host = "192.0.2.1"

[[meter]]
id = "w-3"
name = "water"
medium = "water"
area = "floor-2"
rated_max = 16.0

[[meter]]
id = "e-2"
name = "electricity"
medium = "electricity"
area = "block-2"
model = "acrel-dtsd1352"
bus = "plant"
rated_max = 100.0
"""


def at(text: str) -> int:
    return round(datetime.fromisoformat(f"{text}+08:00").timestamp() * 1000)


NOON_MS = at("2026-11-30T12:00")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return folder(tmp_path, SITE).site


def routes(site: Site, *rows: Route, hours: Hours = Hours()) -> NoticeRoutes:  # noqa: B008 - frozen
    receivers = tuple(Receiver(id=name, url="json://localhost") for name in ("office", "duty"))
    return NoticeRoutes(
        AlertRules(rules=(), receivers=receivers, routes=rows, hours=hours),
        site,
        WorkingCalendar(hours, site.zone),
    )


def chosen(site: Site, route: Route, signal: str = "night_flow", subject: str = "w-3") -> bool:
    found = routes(site, route).assign(notice(signal=signal, subject=subject), NOON_MS)
    return bool(found)


def test_without_routes_everybody_gets_everything_at_once(site: Site) -> None:
    found = routes(site).assign(notice(severity="info"), NOON_MS)
    assert [(one.receiver, one.due_ms, one.is_digest) for one in found] == [
        ("office", NOON_MS, False),
        ("duty", NOON_MS, False),
    ]


@pytest.mark.parametrize("severity", ["info", "warning", "critical"])
def test_a_route_chooses_by_severity(site: Site, severity: Severity) -> None:
    one = routes(site, Route(id="r", receiver=("office",), severity=("warning", "critical")))
    assert bool(one.assign(notice(severity=severity), NOON_MS)) is (severity != "info")


@pytest.mark.parametrize(
    ("area", "is_met"),
    [("floor-2", True), ("block-1", True), ("campus", True), ("block-2", False)],
)
def test_an_area_stands_for_the_areas_within(site: Site, area: str, *, is_met: bool) -> None:
    assert chosen(site, Route(id="r", receiver=("office",), area=(area,))) is is_met


@pytest.mark.parametrize(
    ("signal", "subject", "area", "medium"),
    [
        ("reading_age", "e-2", "block-2", "electricity"),
        ("failed_polls", "plant", "block-2", "electricity"),
        ("agent_age", "agent-1", "block-2", "electricity"),
        ("idle_load", "block-2", "block-2", "electricity"),
        ("coverage", "office-a", "block-1", "water"),
        ("path_excess", "block-1/water_per_capita", "block-1", "water"),
    ],
)
def test_each_kind_of_subject_has_its_areas_and_media(
    site: Site, signal: str, subject: str, area: str, medium: str
) -> None:
    for row, is_met in (
        (Route(id="r", receiver=("office",), area=(area,), medium=(medium,)), True),  # type: ignore[arg-type]
        (Route(id="r", receiver=("office",), area=("floor-2",)), False),
        (Route(id="r", receiver=("office",), medium=("gas",)), False),
    ):
        assert chosen(site, row, signal, subject) is is_met


def test_a_subject_of_the_whole_site_is_for_routes_without_an_area(site: Site) -> None:
    assert not chosen(site, Route(id="r", receiver=("office",), area=("campus",)), "coverage", "x")
    assert chosen(site, Route(id="r", receiver=("office",), medium=("water",)), "coverage", "x")


def test_a_digest_is_sent_at_its_time_of_day(site: Site) -> None:
    one = routes(site, Route(id="r", receiver=("office",), digest="08:00"))
    for now, due in (
        ("2026-11-30T07:59", "2026-11-30T08:00"),
        ("2026-11-30T08:00", "2026-12-01T08:00"),
        ("2026-11-30T12:00", "2026-12-01T08:00"),
    ):
        (found,) = one.assign(notice(), at(now))
        assert (found.due_ms, found.is_digest) == (at(due), True)


def test_a_receiver_of_two_routes_gets_a_notice_once_and_at_once_if_one_says_so(
    site: Site,
) -> None:
    one = routes(
        site,
        Route(id="daily", receiver=("office", "duty"), digest="08:00"),
        Route(id="now", receiver=("duty",), severity=("warning",)),
    )
    found = {a.receiver: (a.due_ms, a.is_digest) for a in one.assign(notice(), NOON_MS)}
    assert found == {"office": (at("2026-12-01T08:00"), True), "duty": (NOON_MS, False)}


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-30T21:59", "2026-11-30T21:59"),
        ("2026-11-30T22:00", "2026-12-01T07:00"),
        ("2026-12-01T06:59", "2026-12-01T07:00"),
        ("2026-12-01T07:00", "2026-12-01T07:00"),
    ],
)
def test_quiet_hours_hold_what_is_not_critical(site: Site, now: str, due: str) -> None:
    loud = Route(id="loud", receiver=("duty",), quiet=False)
    one = routes(site, Route(id="r", receiver=("office",)), loud)
    found = {a.receiver: a.due_ms for a in one.assign(notice(), at(now))}
    assert found == {"office": at(due), "duty": at(now)}
    found = {a.receiver: a.due_ms for a in one.assign(notice(severity="critical"), at(now))}
    assert found["office"] == at(now)
    one = routes(site, Route(id="r", receiver=("office",)), hours=Hours(quiet=()))
    assert one.assign(notice(), at(now))[0].due_ms == at(now)
