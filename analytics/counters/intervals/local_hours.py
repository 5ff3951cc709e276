"""Number the local hours of years by their place in the week. Pure.

Laws:

1. The hours are those of `periods`: they are counted from each local midnight.
2. The local clock at the start of an hour gives its number. So an hour has the same number on days
   with and without a clock change. If the clock shows an hour twice, both have the same number.
"""

from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from analytics import periods

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Number of hours in a week.
WEEK_HOURS: Final = 168
_DAY_HOURS: Final = 24
_DAY_MS: Final = _DAY_HOURS * 3_600_000


class LocalHours(NamedTuple):
    """Local hours that follow one another, in order of time; read-only.

    Attributes:
        edges_ms: shape (hours + 1,), edges of the hours [UTC, ms], strictly ascending.
        of_week: shape (hours,), number of each hour in its week: 0 for Monday 00:00 to 01:00, 167
            for Sunday 23:00 to 24:00.
        back: shape (hours,), number of hours from the last one before with the same number to each
            hour: 168, except near clock changes. If there is no such hour before, it is the number
            of hours from the first hour, plus one.
    """

    edges_ms: "NDArray[np.int64]"
    of_week: "NDArray[np.int64]"
    back: "NDArray[np.int64]"

    def part(self, first: int, end: int) -> "LocalHours":
        """Return the hours from one index to before another."""
        return LocalHours(
            self.edges_ms[first : end + 1], self.of_week[first:end], self.back[first:end]
        )


def local_hours(first_ms: int, last_ms: int, zone: ZoneInfo) -> LocalHours:
    """Return the hours of the local years in which two times lie, and of the years between.

    Args:
        first_ms: the earlier time [UTC, ms].
        last_ms: the later time [UTC, ms].
        zone: time zone of the site.
    """
    first, last = (periods.local_day(time_ms, zone).year for time_ms in (first_ms, last_ms))
    return _of_years(first, last, zone)


@lru_cache(maxsize=32)  # all meters of a site need the same years
def _of_years(first: int, last: int, zone: ZoneInfo) -> LocalHours:
    years = [_of_year(year, zone) for year in range(first, last + 1)]
    of_week = np.concatenate([of_year for _, of_year in years])
    ends = [edges_ms[:-1] for edges_ms, _ in years]
    hours = LocalHours(np.concatenate([*ends, years[-1][0][-1:]]), of_week, _back(of_week))
    for column in hours:
        column.flags.writeable = False
    return hours


def _back(of_week: "NDArray[np.int64]") -> "NDArray[np.int64]":
    """Return the column `LocalHours.back` from the number of each hour in its week."""
    back = np.arange(1, len(of_week) + 1)
    by_number = np.argsort(of_week, kind="stable")
    later = np.flatnonzero(np.diff(of_week[by_number]) == 0) + 1
    back[by_number[later]] = by_number[later] - by_number[later - 1]
    return back


def _of_year(year: int, zone: ZoneInfo) -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
    """Return the edges of the hours of a year, and the number of each hour in its week."""
    first, following = date(year, 1, 1), date(year + 1, 1, 1)
    edges = periods.edges_ms(first, following, "hour", zone)
    midnights = periods.edges_ms(first, following, "day", zone)
    day = midnights.searchsorted(edges[:-1], side="right") - 1
    hour = (edges[:-1] - midnights[day]) // 3_600_000
    for number in np.flatnonzero(np.diff(midnights) != _DAY_MS).tolist():  # the clock is changed
        hour[day == number] = [
            datetime.fromtimestamp(start_ms / 1000, zone).hour
            for start_ms in edges[:-1][day == number].tolist()
        ]
    return edges, (first.weekday() + day) % 7 * _DAY_HOURS + hour
