"""Parse periods of the local calendar, and convert their days and intervals to UTC.

Laws:

1. Periods are in local time: in Huai'an, the year 2025 begins at 2024-12-31T16:00Z. Stored times
   are UTC.
2. Intervals are counted from each local midnight, so that no interval is in two days. A day with a
   clock change has 23 or 25 hours, and its last interval may be shorter.
3. The edges of intervals do not depend on the period for which they are computed.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from jieneng.metering.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Interval = Literal["15min", "hour", "day"]

#: Length of the intervals that are shorter than a day [ms].
_STEP_MS: Final[Mapping[Interval, int]] = MappingProxyType({"15min": 900_000, "hour": 3_600_000})


class Period(msgspec.Struct, frozen=True):
    """A range of local days.

    Attributes:
        id: id that people write: `2025`, `2025-Q2`, `2025-06`, `2025-06-30`.
        start: first local day.
        end: local day after the last one.
        whole_year: True for a calendar year; only a year can meet a plan's target.
    """

    id: str
    start: date
    end: date
    whole_year: bool = False

    @property
    def year(self) -> int:
        """Calendar year in which the period begins."""
        return self.start.year

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.end - self.start).days

    def until(self, day: date) -> "Period":
        """Return the part of the period before a day; empty if the period begins later."""
        end = min(max(day, self.start), self.end)
        return msgspec.structs.replace(self, end=end)

    def in_year(self, year: int) -> "Period":
        """Return the period of the same calendar days in another year.

        In a year without 29 February, a period that starts or ends on that day starts or ends on 28
        February.
        """
        span = self.end.year - self.year
        return msgspec.structs.replace(
            self,
            id=f"{year:04}{self.id[4:]}",
            start=_same_day_in(self.start, year, date(year, 2, 28)),
            end=_same_day_in(self.end, year + span, date(year + span, 3, 1)),
        )


def parse(text: str) -> Period:
    """Return the period for a text such as `2025`, `2025-Q2`, `2025-06` or `2025-06-30`.

    Raises:
        UsageError: the text is not a period.
    """
    for pattern, make in _FORMS.items():
        if found := re.fullmatch(pattern, text.strip()):
            try:
                return make(text.strip(), *(int(part) for part in found.groups()))
            except ValueError:
                break
    raise UsageError(
        "{period} is not a period: write a year (2025), a quarter (2025-Q2), a month"
        " (2025-06) or a day (2025-06-30).",
        period=text,
    )


def calendar_year(year: int) -> Period:
    """Return a calendar year."""
    return Period(f"{year:04}", date(year, 1, 1), date(year + 1, 1, 1), whole_year=True)


def _year(_: str, year: int) -> Period:
    return calendar_year(year)


def _quarter(text: str, year: int, quarter: int) -> Period:
    first = date(year, 3 * quarter - 2, 1)
    return Period(text, first, months_later(first, 3))


def _month(text: str, year: int, month: int) -> Period:
    first = date(year, month, 1)
    return Period(text, first, months_later(first, 1))


def _day(text: str, year: int, month: int, day: int) -> Period:
    first = date(year, month, day)
    return Period(text, first, first + timedelta(days=1))


_FORMS: Final[Mapping[str, Callable[..., Period]]] = MappingProxyType(
    {
        r"(\d{4})": _year,
        r"(\d{4})-Q([1-4])": _quarter,
        r"(\d{4})-(\d{2})": _month,
        r"(\d{4})-(\d{2})-(\d{2})": _day,
    }
)


def months_later(first: date, months: int) -> date:
    """Return the first day of the month that is `months` after the month of `first`."""
    count = first.year * 12 + first.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def _same_day_in(day: date, year: int, instead: date) -> date:
    try:
        return day.replace(year=year)
    except ValueError:  # the year has no 29 February
        return instead


@lru_cache(maxsize=16384)  # figures need the midnights of the same years many times
def midnight_ms(day: date, zone: ZoneInfo) -> int:
    """Return the time at which a local day begins [UTC, ms].

    If a clock change skips midnight, the day begins at the time of the change.
    """
    local = datetime(day.year, day.month, day.day, tzinfo=zone)
    return round(local.astimezone(UTC).timestamp() * 1000)


def local_day(time_ms: int, zone: ZoneInfo) -> date:
    """Return the local day of a time [UTC, ms]."""
    return datetime.fromtimestamp(time_ms / 1000, zone).date()


def days(start: date, end: date) -> list[date]:
    """Return the days from `start` up to, not including, `end`."""
    return list(_days(start, end))


@lru_cache(maxsize=256)
def _days(start: date, end: date) -> tuple[date, ...]:
    return tuple(map(date.fromordinal, range(start.toordinal(), end.toordinal())))


def edges_ms(start: date, end: date, interval: Interval, zone: ZoneInfo) -> "NDArray[np.int64]":
    """Return the edges of all intervals of the local days from `start` up to, not including, `end`.

    Returns:
        Shape (intervals + 1,), UTC ms, strictly ascending.
    """
    midnights = _midnights_ms(start, end, zone)
    if interval == "day" or len(midnights) < 2:
        return midnights
    step = _STEP_MS[interval]
    grids = [
        np.arange(midnight, following, step, dtype=np.int64)
        for midnight, following in pairwise(midnights.tolist())
    ]
    return np.concatenate([*grids, midnights[-1:]])


@lru_cache(maxsize=256)
def _midnights_ms(start: date, end: date, zone: ZoneInfo) -> "NDArray[np.int64]":
    """Return the midnights from that of `start` to that of `end` [UTC, ms], read-only."""
    every = days(start, end + timedelta(days=1))
    midnights = np.array([midnight_ms(day, zone) for day in every], dtype=np.int64)
    midnights.flags.writeable = False
    return midnights


@lru_cache(maxsize=256)
def ordinals(start: date, end: date) -> "NDArray[np.int64]":
    """Return the proleptic Gregorian ordinals of the days from `start` to before `end`, read-only.

    Returns:
        Shape (days,).
    """
    found = np.arange(start.toordinal(), max(start, end).toordinal(), dtype=np.int64)
    found.flags.writeable = False
    return found


def interval_days(intervals_ms: "NDArray[np.int64]", zone: ZoneInfo) -> list[date]:
    """Return the local day in which each interval between neighbouring edges begins."""
    first, last = (local_day(int(intervals_ms[index]), zone) for index in (0, -2))
    midnights = edges_ms(first, last + timedelta(days=1), "day", zone)
    numbers = np.searchsorted(midnights, intervals_ms[:-1], side="right") - 1
    every = days(first, last + timedelta(days=1))
    return [every[number] for number in numbers.tolist()]


def windows(start: date, end: date, months: int) -> Iterator[tuple[date, date]]:
    """Yield (start, end) of windows of at most `months` months.

    Each window except the last one ends at the end of a month.
    """
    while start < end:
        following = min(months_later(start, months), end)
        yield start, following
        start = following
