"""Periods are local, and a grid never depends on where it begins."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import periods
from analytics.periods import Interval
from jieneng.metering.errors import UsageError

HUAIAN = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2025", date(2025, 1, 1), date(2026, 1, 1)),
        ("2025-Q4", date(2025, 10, 1), date(2026, 1, 1)),
        ("2024-02", date(2024, 2, 1), date(2024, 3, 1)),
        ("2025-12-31", date(2025, 12, 31), date(2026, 1, 1)),
        (" 2025 ", date(2025, 1, 1), date(2026, 1, 1)),
    ],
)
def test_what_people_write(text: str, start: date, end: date) -> None:
    period = periods.parse(text)
    assert (period.start, period.end) == (start, end)
    assert period.whole_year == (text.strip() == "2025")


@pytest.mark.parametrize(
    "text", ["", "25", "2025-13", "2025-Q5", "2025-02-30", "last year", "0000"]
)
def test_what_is_no_period_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(UsageError, match=r"2025-Q2"):
        periods.parse(text)


def test_a_local_year_begins_on_the_evening_before_in_utc() -> None:
    begins = datetime(2024, 12, 31, 16, tzinfo=UTC)
    assert periods.midnight_ms(date(2025, 1, 1), HUAIAN) == begins.timestamp() * 1000
    assert periods.local_day(round(begins.timestamp() * 1000), HUAIAN) == date(2025, 1, 1)
    assert periods.local_day(round(begins.timestamp() * 1000) - 1, HUAIAN) == date(2024, 12, 31)


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2025, 3, 30), 23), (date(2025, 10, 26), 25), (date(2025, 6, 1), 24)]
)
def test_a_day_of_clock_change_has_23_or_25_hours(day: date, hours: int) -> None:
    following = date.fromordinal(day.toordinal() + 1)
    edges = periods.edges_ms(day, following, "hour", BERLIN)
    assert len(edges) == hours + 1
    assert (np.diff(edges) == HOUR_MS).all()
    assert np.diff(periods.edges_ms(day, following, "day", BERLIN)).tolist() == [hours * HOUR_MS]


def test_a_change_by_half_an_hour_shortens_the_last_hour() -> None:
    day = date(2025, 10, 5)  # Lord Howe Island: 02:00 becomes 02:30
    edges = periods.edges_ms(day, date(2025, 10, 6), "hour", ZoneInfo("Australia/Lord_Howe"))
    assert np.diff(edges).tolist() == [HOUR_MS] * 23 + [HOUR_MS // 2]


def test_a_day_without_midnight_begins_when_the_clocks_skip_it() -> None:
    beirut = ZoneInfo("Asia/Beirut")
    edges = periods.edges_ms(date(2025, 3, 29), date(2025, 3, 31), "day", beirut)
    assert (np.diff(edges) / HOUR_MS).tolist() == [24.0, 23.0]


@given(
    st.dates(date(2019, 12, 1), date(2027, 1, 1)),
    st.integers(0, 40),
    st.integers(1, 40),
    st.sampled_from(["15min", "hour", "day"]),
    st.sampled_from([HUAIAN, BERLIN, ZoneInfo("Australia/Lord_Howe")]),
)
def test_grids_agree_where_they_overlap(
    first: date, skip: int, length: int, interval: Interval, zone: ZoneInfo
) -> None:
    def day(number: int) -> date:
        return date.fromordinal(first.toordinal() + number)

    whole = periods.edges_ms(first, day(skip + length), interval, zone)
    part = periods.edges_ms(day(skip), day(skip + length), interval, zone)
    assert whole[-len(part) :].tolist() == part.tolist()
    assert (np.diff(whole) > 0).all()


def test_windows_end_with_months_and_leave_nothing_out() -> None:
    pieces = list(periods.windows(date(2019, 12, 31), date(2020, 8, 3), 3))
    assert pieces == [
        (date(2019, 12, 31), date(2020, 3, 1)),
        (date(2020, 3, 1), date(2020, 6, 1)),
        (date(2020, 6, 1), date(2020, 8, 3)),
    ]


def test_the_same_days_of_the_base_year() -> None:
    going_on = periods.parse("2025").until(date(2025, 11, 23))
    assert (going_on.start, going_on.end) == (date(2025, 1, 1), date(2025, 11, 23))
    base = going_on.in_year(2020)
    assert (base.id, base.start, base.end) == ("2020", date(2020, 1, 1), date(2020, 11, 23))
    assert (going_on.days, base.days) == (326, 327)  # 2020 had a 29 February


def test_a_whole_leap_year_is_compared_with_all_of_its_base() -> None:
    assert periods.parse("2024").in_year(2025).days == 365
    assert periods.parse("2025").in_year(2020).days == 366


@pytest.mark.parametrize(
    ("text", "year", "start", "end"),
    [
        ("2024-02-29", 2025, date(2025, 2, 28), date(2025, 3, 1)),
        ("2025-02", 2020, date(2020, 2, 1), date(2020, 3, 1)),
        ("2025-12", 2020, date(2020, 12, 1), date(2021, 1, 1)),
    ],
)
def test_days_around_the_29_of_february(text: str, year: int, start: date, end: date) -> None:
    moved = periods.parse(text).in_year(year)
    assert (moved.start, moved.end) == (start, end)


def test_until_the_29_of_february_is_until_1_march_elsewhere() -> None:
    moved = periods.parse("2024").until(date(2024, 2, 29)).in_year(2025)
    assert moved.end == date(2025, 3, 1)


def test_a_period_that_has_not_begun_has_no_days() -> None:
    assert periods.parse("2026").until(date(2025, 6, 1)).days == 0
