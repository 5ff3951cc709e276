"""Working hours, nights and quiet hours, held against a wall clock that is read step by step."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.calendar.working_calendar import WorkingCalendar, years_without_holidays
from analytics.calendar.working_hours import Hours, When

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
MINUTE_MS = 60_000


def ms(text: str, zone: ZoneInfo = SHANGHAI) -> int:
    """Return the time of a text; local to a zone if it has no offset [UTC, ms]."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return round(moment.timestamp() * 1000)


def watched(calendar: WorkingCalendar, when: When, *times_ms: int) -> list[bool]:
    return [bool(one) for one in calendar.is_watched(when, np.array(times_ms, dtype=np.int64))]


@pytest.mark.parametrize(
    ("day", "is_workday"),
    [
        (date(2026, 2, 13), True),  # Friday before the Spring Festival
        (date(2026, 2, 14), True),  # a moved workday, on a Saturday
        (date(2026, 2, 18), False),  # Spring Festival, on a Wednesday
        (date(2026, 2, 28), True),  # a moved workday, on a Saturday
        (date(2026, 3, 7), False),  # Saturday
        (date(2026, 10, 10), True),  # a moved workday, on a Saturday
        (date(2026, 11, 30), True),  # Monday
    ],
)
def test_public_holidays_and_moved_workdays_of_china_are_known(day: date, is_workday: bool) -> None:
    assert WorkingCalendar(Hours(), SHANGHAI).is_workday(day) is is_workday


def test_the_site_s_own_days_come_first() -> None:
    hours = Hours(holiday=(date(2026, 2, 14),), workday=(date(2026, 2, 18),))
    calendar = WorkingCalendar(hours, SHANGHAI)
    assert not calendar.is_workday(date(2026, 2, 14))
    assert calendar.is_workday(date(2026, 2, 18))


def test_a_site_elsewhere_has_weekends_only() -> None:
    calendar = WorkingCalendar(Hours(), BERLIN)
    assert calendar.is_workday(date(2026, 2, 18))
    assert not calendar.is_workday(date(2026, 2, 14))


def test_a_year_that_the_library_does_not_know_has_weekends_and_the_site_s_days() -> None:
    calendar = WorkingCalendar(Hours(holiday=(date(2099, 10, 1),)), SHANGHAI)
    assert not calendar.is_workday(date(2099, 10, 1))  # a Thursday
    assert calendar.is_workday(date(2099, 10, 2))
    assert not calendar.is_workday(date(2099, 10, 3))


def test_years_without_holidays_are_told_until_the_site_writes_its_own() -> None:
    assert years_without_holidays([2026, 2099], Hours(), SHANGHAI) == [2099]
    assert years_without_holidays([2099], Hours(holiday=(date(2099, 10, 1),)), SHANGHAI) == []
    assert years_without_holidays([2099], Hours(), BERLIN) == []


def test_working_hours_contain_their_start_and_end_before_their_end() -> None:
    calendar = WorkingCalendar(Hours(), SHANGHAI)
    edges = [ms("2026-11-30T08:00"), ms("2026-11-30T18:30")]
    times = [time + step for time in edges for step in (-1, 0)]
    assert watched(calendar, "working", *times) == [False, True, True, False]
    assert watched(calendar, "idle", *times) == [True, False, False, True]
    assert watched(calendar, "working", ms("2026-11-28T10:00")) == [False]  # Saturday


def test_a_night_shift_belongs_to_the_day_on_which_it_begins() -> None:
    """Friday's shift lasts into Saturday, and none begins on Sunday evening."""
    calendar = WorkingCalendar(Hours(working=("20:00", "06:00")), SHANGHAI)
    saturday, sunday, monday = (f"2026-11-{day}T03:00" for day in (28, 29, 30))
    assert watched(calendar, "working", *map(ms, (saturday, sunday, monday))) == [
        True,
        False,
        False,
    ]


def test_a_house_that_never_closes() -> None:
    hours = Hours(
        working=("00:00", "24:00"), workday=(date(2026, 11, 28), date(2026, 11, 29)), quiet=()
    )
    calendar = WorkingCalendar(hours, SHANGHAI)
    hourly = range(ms("2026-11-27T00:00"), ms("2026-12-01T00:00"), 60 * MINUTE_MS)
    assert all(watched(calendar, "working", *hourly))
    assert not any(calendar.is_quiet(time) for time in hourly)


def test_quiet_hours_over_midnight_end_in_the_morning() -> None:
    calendar = WorkingCalendar(Hours(), SHANGHAI)
    seven = ms("2026-12-01T07:00")
    assert calendar.quiet_until(ms("2026-11-30T22:00")) == seven
    assert calendar.quiet_until(seven - 1) == seven
    assert calendar.quiet_until(seven) == seven
    assert not calendar.is_quiet(seven)
    assert calendar.is_quiet(seven - 1)


def test_the_night_of_a_day_is_the_one_that_ends_on_it() -> None:
    early = WorkingCalendar(Hours(), SHANGHAI).night_of(date(2026, 11, 30))
    assert early == (ms("2026-11-30T01:00"), ms("2026-11-30T05:00"))
    late = WorkingCalendar(Hours(night=("23:00", "05:00")), SHANGHAI)
    assert late.night_of(date(2026, 11, 30)) == (ms("2026-11-29T23:00"), ms("2026-11-30T05:00"))


@pytest.mark.parametrize(
    ("day", "night", "expected"),
    [
        # Clocks go forward at 02:00: 02:30 does not exist, and the night is an hour shorter.
        (date(2026, 3, 29), ("01:00", "05:00"), ("00:00Z", "03:00Z")),
        (date(2026, 3, 29), ("02:30", "05:00"), ("01:00Z", "03:00Z")),
        (date(2026, 3, 29), ("01:00", "02:30"), ("00:00Z", "01:00Z")),
        # Clocks go back at 03:00: 02:30 comes twice, and the night is an hour longer.
        (date(2026, 10, 25), ("01:00", "05:00"), ("23:00Z", "04:00Z")),
        (date(2026, 10, 25), ("02:30", "05:00"), ("00:30Z", "04:00Z")),
        (date(2026, 10, 25), ("01:00", "02:30"), ("23:00Z", "01:30Z")),
    ],
)
def test_nights_of_a_clock_change(
    day: date, night: tuple[str, str], expected: tuple[str, str]
) -> None:
    calendar = WorkingCalendar(Hours(night=night), BERLIN)
    start, end = calendar.night_of(day)
    found = [datetime.fromtimestamp(time / 1000, UTC) for time in (start, end)]
    assert tuple(f"{moment:%H:%M}Z" for moment in found) == expected
    assert watched(calendar, "night", start - 1, start, end - 1, end) == [False, True, True, False]


def test_the_next_time_of_a_clock_time_is_later_and_local() -> None:
    calendar = WorkingCalendar(Hours(), SHANGHAI)
    assert calendar.next_time("08:00", ms("2026-11-30T07:59")) == ms("2026-11-30T08:00")
    assert calendar.next_time("08:00", ms("2026-11-30T08:00")) == ms("2026-12-01T08:00")
    berlin = WorkingCalendar(Hours(), BERLIN)
    assert berlin.next_time("08:00", ms("2026-03-28T08:00", BERLIN)) == ms("2026-03-29T06:00Z")


STEP_MINUTES = 10
CLOCK_TIMES = st.integers(0, 24 * 60 // STEP_MINUTES - 1).map(
    lambda step: f"{step * STEP_MINUTES // 60:02}:{step * STEP_MINUTES % 60:02}"
)
#: Zones with clock changes at different hours, of half an hour, and at midnight; and one without.
ZONES = st.sampled_from(
    ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo"]
).map(ZoneInfo)


def change_near(zone: ZoneInfo, first: date) -> date:
    """Return the first day from `first` on at whose noon the offset is another; else `first`."""
    noons = [datetime(first.year, first.month, first.day, 12, tzinfo=zone)]
    noons += [noons[0] + timedelta(days=count) for count in range(1, 300)]
    changed = (noon.date() for noon in noons if noon.utcoffset() != noons[0].utcoffset())
    return next(changed, first)


def clock_minutes(zone: ZoneInfo, first: date, days: int) -> list[tuple[int, datetime]]:
    """Return (UTC ms, local clock) every ten minutes of some days, read off one after another."""
    start = datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(days=1)
    steps = range(0, (days + 2) * 24 * 60, STEP_MINUTES)
    moments = (start + timedelta(minutes=minutes) for minutes in steps)
    return [
        (round(moment.timestamp() * 1000), moment.astimezone(zone).replace(tzinfo=None))
        for moment in moments
    ]


def spans_of_the_clock(
    minutes: list[tuple[int, datetime]], span: tuple[str, str]
) -> dict[date, tuple[int, int]]:
    """Return (start, end) of the span that begins on each local day, read off the clock."""
    days = sorted({clock.date() for _, clock in minutes})
    found = {}
    for day in days[1:-2]:
        start, end = (datetime.combine(day, datetime.min.time()) for _ in range(2))
        start += timedelta(hours=int(span[0][:2]), minutes=int(span[0][3:]))
        end += timedelta(days=span[1] <= span[0], hours=int(span[1][:2]), minutes=int(span[1][3:]))
        # First minute on which the clock shows the start or more; the last before it shows the end.
        begins = next(time for time, clock in minutes if clock >= start)
        shown = [time for time, clock in minutes if clock == end]
        skipped = next(time for time, clock in minutes if clock >= end)
        found[day] = (begins, shown[-1] if shown else skipped)
    return found


@settings(max_examples=40, deadline=None)
@given(
    zone=ZONES,
    first=st.dates(date(2025, 1, 1), date(2026, 12, 28)),
    span=st.tuples(CLOCK_TIMES, CLOCK_TIMES).filter(lambda span: span[0] != span[1]),
    near_change=st.booleans(),
)
def test_masks_say_what_a_clock_on_the_wall_shows(
    zone: ZoneInfo, first: date, span: tuple[str, str], near_change: bool
) -> None:
    if near_change:  # most days have none
        first = change_near(zone, first) - timedelta(days=3)
    calendar = WorkingCalendar(Hours(working=span, night=span, quiet=span), zone)
    minutes = clock_minutes(zone, first, 6)
    spans = spans_of_the_clock(minutes, span)
    low, high = min(start for start, _ in spans.values()), max(end for _, end in spans.values())
    # Times at both ends belong to spans of days that were not read.
    times = np.array([time for time, _ in minutes if low + 86_400_000 <= time < high - 86_400_000])
    in_span = [any(start <= time < end for start, end in spans.values()) for time in times]
    at_work = [
        any(start <= time < end for day, (start, end) in spans.items() if calendar.is_workday(day))
        for time in times
    ]
    assert calendar.is_watched("night", times).tolist() == in_span
    assert [calendar.is_quiet(int(time)) for time in times[::6]] == in_span[::6]
    assert calendar.is_watched("working", times).tolist() == at_work
    assert calendar.is_watched("idle", times).tolist() == [not one for one in at_work]
    assert calendar.is_watched("always", times).all()


def test_masks_keep_the_form_of_the_times_and_take_none_too() -> None:
    calendar = WorkingCalendar(Hours(), SHANGHAI)
    times = np.array([[ms("2026-11-30T10:00")], [ms("2026-11-30T03:00")]])
    assert calendar.is_watched("working", times).tolist() == [[True], [False]]
    assert calendar.is_watched("night", times).tolist() == [[False], [True]]
    assert calendar.is_watched("night", np.array([], dtype=np.int64)).tolist() == []


def test_earlier_and_later_times_do_not_change_what_was_asked_before() -> None:
    """Spans are kept between questions: an older time must be computed again."""
    calendar = WorkingCalendar(Hours(), SHANGHAI)
    for day in ("2026-11-30", "2020-11-30", "2026-11-30", "2024-11-29"):
        assert watched(calendar, "working", ms(f"{day}T10:00")) == [True]
        assert watched(calendar, "working", ms(f"{day}T20:00")) == [False]
