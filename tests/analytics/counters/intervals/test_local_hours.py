"""Local hours are numbered by the clock of the site."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from analytics.counters.intervals.local_hours import WEEK_HOURS, local_hours

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")


def ms(year: int, month: int, day: int, hour: int = 0) -> int:
    return round(datetime(year, month, day, hour, tzinfo=UTC).timestamp() * 1000)


def numbers(zone: ZoneInfo, start_ms: int, count: int) -> list[int]:
    hours = local_hours(start_ms, start_ms, zone)
    first = int(hours.edges_ms.searchsorted(start_ms))
    assert hours.edges_ms[first] == start_ms
    return [int(number) for number in hours.of_week[first : first + count]]


def test_monday_midnight_is_hour_0_and_sunday_evening_the_last_one() -> None:
    monday_ms = ms(2024, 1, 7, 16)
    assert numbers(SHANGHAI, monday_ms, WEEK_HOURS) == list(range(WEEK_HOURS))
    assert numbers(SHANGHAI, monday_ms - 3_600_000, 2) == [WEEK_HOURS - 1, 0]


def test_a_clock_change_moves_no_other_hour() -> None:
    """On Sunday 31 March 2024 there is no hour from 02:00; on 27 October there are two."""
    sunday = 6 * 24
    assert numbers(BERLIN, ms(2024, 3, 31, 0), 3) == [sunday + 1, sunday + 3, sunday + 4]
    assert numbers(BERLIN, ms(2024, 10, 27, 0), 3) == [sunday + 2, sunday + 2, sunday + 3]
    assert numbers(BERLIN, ms(2024, 10, 27, 23), 1) == [0]


def test_the_hours_of_several_years_are_those_of_each() -> None:
    """1 January 2024 begins in UTC on 31 December 2023, 16:00."""
    both = local_hours(ms(2023, 12, 30), ms(2024, 1, 2), SHANGHAI)
    ends = [local_hours(at, at, SHANGHAI) for at in (ms(2023, 12, 30), ms(2024, 1, 2))]
    assert both.edges_ms.tolist() == np.unique([*ends[0].edges_ms, *ends[1].edges_ms]).tolist()
    assert both.of_week.tolist() == [*ends[0].of_week.tolist(), *ends[1].of_week.tolist()]


def test_the_hour_before_with_the_same_number_is_a_week_back_also_over_a_clock_change() -> None:
    """After the first week, only the missing and the repeated hour are further or nearer."""
    hours = local_hours(ms(2024, 1, 2), ms(2025, 12, 30), BERLIN)
    back, hour = hours.back, np.arange(len(hours.back))
    first = np.unique(hours.of_week, return_index=True)[1]
    assert back[first].tolist() == (first + 1).tolist()
    later = np.setdiff1d(hour, first)
    assert (hours.of_week[later] == hours.of_week[later - back[later]]).all()
    near = back[later][back[later] != WEEK_HOURS]
    assert np.unique(near).tolist() == [1, WEEK_HOURS - 1, WEEK_HOURS + 1, 2 * WEEK_HOURS - 1]
