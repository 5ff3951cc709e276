"""Recognise time stamps that mark the ends of intervals. Pure.

Example: a file holds the daily values of January, each stamped with the end of its day. Its stamps
go from 2 January to 1 February. If they are read as starts, the file seems to lack 1 January, and
to contain 1 February. The stamps of hourly values go from 01:00 to 00:00 in the same way. In a file
of monthly values, 2024-01-31 stands for January. Some programs write the last second or the last
minute of an interval, such as 23:59:59 or 23:59: these are always ends.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from ingest.importing.cells.local_days import local_time
from ingest.importing.judging.series_values import SeriesValues

_DAY_MS: Final = 86_400_000
_QUARTER_MS: Final = 900_000
#: Times before the end of an interval at which some programs stamp it [ms].
_BEFORE_END_MS: Final = (1000, 60_000)


def look_like_ends(values: SeriesValues, zone: ZoneInfo) -> bool:
    """Return True if the times of a series look like the ends of its intervals.

    Args:
        values: values in order of time; their times were read as the starts of intervals.
        zone: time zone of days and months.
    """
    if len(values) < 2 or values.lengths_ms[0] > _DAY_MS + 3_600_000:
        return False
    begin = local_time(values.times_ms[0] - values.lengths_ms[0], zone)
    first = local_time(values.times_ms[0], zone)
    last = local_time(values.times_ms[-1], zone)
    is_daily = values.lengths_ms[0] >= _DAY_MS - 3_600_000
    begins, ends = _is_edge(begin, is_daily=is_daily), _is_edge(last, is_daily=is_daily)
    return begins and ends and not _is_edge(first, is_daily=is_daily)


def before_end_ms(times_ms: Iterable[int]) -> int:
    """Return how long before full quarters of an hour all times lie [ms]; 0 if they are no ends.

    Args:
        times_ms: at least one time [UTC, ms]. Time zones differ by full quarters of an hour.
    """
    rests = {-time_ms % _QUARTER_MS for time_ms in times_ms}
    return next((before for before in _BEFORE_END_MS if rests == {before}), 0)


def are_month_ends(values: SeriesValues, zone: ZoneInfo) -> bool:
    """Return True if intervals of months are named by the last days of the months."""
    if len(values) < 2 or values.times_ms[1] - values.times_ms[0] < 20 * _DAY_MS:
        return False
    days = [local_time(time_ms, zone) for time_ms in values.times_ms]
    return all((day + timedelta(days=1)).day == 1 and _is_midnight(day) for day in days)


def _is_midnight(local: datetime) -> bool:
    return (local.hour, local.minute, local.second) == (0, 0, 0)


def _is_edge(local: datetime, *, is_daily: bool) -> bool:
    """Return True at midnight. For daily values, only the midnight that begins a month counts."""
    return _is_midnight(local) and (local.day == 1 or not is_daily)
