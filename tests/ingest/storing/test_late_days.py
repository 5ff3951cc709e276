"""Only readings that are written late mark their meter's local day, in the same write."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.storing.late_days import LATE_MS, LateDays
from jieneng.metering.reading import PollReport, Sample
from jieneng.metering.schema import Point, late_day_point, poll_point, reading_point
from jieneng.metering.site import Site, SiteInfo
from tests.ingest.agent import SITE, START
from tests.stepped_clock import SteppedClock


def late_days(now_ms: int, zone: str = "Asia/Shanghai") -> LateDays:
    return LateDays(Site(site=SiteInfo(id=SITE, name="x", timezone=zone)), SteppedClock(now_ms, 0))


def reading(time_ms: int, meter: str = "e-main") -> Point:
    point = reading_point(SITE, "electricity", Sample(meter, time_ms, 0, ("energy_kwh",), (1.0,)))
    assert point is not None
    return point


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def test_live_readings_mark_nothing() -> None:
    days = late_days(START)
    assert days.marks([reading(START), reading(START - LATE_MS), reading(START + 10**9)]) == []


def test_a_mark_is_of_the_local_day_and_says_when_it_was_written() -> None:
    now_ms = ms("2024-12-20T12:00:00+08:00")
    midnight = ms("2024-12-18T00:00:00+08:00")
    late = [
        reading(midnight),
        reading(midnight + 86_399_999),
        reading(midnight + 5, "e-b1"),
        poll_point(SITE, PollReport("e-main", midnight - 86_400_000, True, 9, 1)),
    ]
    assert late_days(now_ms).marks(late) == [
        late_day_point(SITE, "e-b1", midnight, now_ms),
        late_day_point(SITE, "e-main", midnight, now_ms),
    ]


@given(st.integers(0, 1_700_000_000_000))
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Europe/Berlin", "Asia/Kathmandu", "UTC"])
def test_the_day_is_right_in_every_zone_at_every_time(zone: str, time_ms: int) -> None:
    (mark,) = late_days(START, zone).marks([reading(time_ms)])
    day = datetime.fromtimestamp(time_ms / 1000, ZoneInfo(zone)).date()
    assert datetime.fromtimestamp(mark.time_ms / 1000, ZoneInfo(zone)).date() == day
    assert mark.time_ms <= time_ms < mark.time_ms + 25 * 3_600_000


@pytest.mark.parametrize(
    ("zone", "start", "length_s", "days"),
    [
        ("Asia/Shanghai", "2024-01-01T00:00:00+08:00", 366 * 86_400, 366),
        ("Asia/Shanghai", "2024-01-31T23:30:00+08:00", 3600, 2),
        ("Asia/Shanghai", "2024-01-31T23:30:00+08:00", 1800, 1),
        ("Europe/Berlin", "2024-10-26T00:00:00+02:00", 2 * 86_400 + 3600, 2),
        ("Europe/Berlin", "2024-03-30T00:00:00+01:00", 2 * 86_400 - 3600, 2),
    ],
)
def test_an_interval_marks_every_day_that_it_touches(
    zone: str, start: str, length_s: float, days: int
) -> None:
    fields = (("energy_kwh", 1.0), ("interval_s", float(length_s)))
    point = Point.of("interval", (("meter", "e-main"), ("site", SITE)), fields, ms(start))
    marks = late_days(ms("2026-01-01T00:00:00+00:00"), zone).marks([point])
    midnights = [datetime.fromtimestamp(mark.time_ms / 1000, ZoneInfo(zone)) for mark in marks]
    assert len(midnights) == days
    assert {(each.hour, each.minute) for each in midnights} == {(0, 0)}
    assert midnights[0].date() == datetime.fromisoformat(start).date()
