"""Lay out the hours of local days, with working hours and nights, and consumption by them. Pure."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics import periods
from analytics.calendar.working_calendar import WorkingCalendar

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from numpy.typing import NDArray

#: Least coverage of an hour or a day that counts as fully covered. The rest is rounding.
FULL: Final = 0.999
HOUR_MS: Final = 3_600_000


class HourGrid(msgspec.Struct, frozen=True):
    """The hours of some local days, with working days, working hours and nights of the calendar.

    Attributes:
        edges_ms: edges of the hours, shape (h + 1,) [UTC, ms].
        days: the local days, shape (d,).
        day_numbers: number of the day of each hour, shape (h,).
        clock_hours: hour of the clock at which each hour begins, 0 to 23, shape (h,).
        is_workday: True for the working days, shape (d,).
        is_holiday: True for public holidays, also on weekends, shape (d,).
        is_working: True for hours that lie wholly in the working hours, shape (h,).
        is_idle: True for hours that lie wholly outside the working hours, shape (h,).
        nights: number of the day on which the night of each hour ends, -1 if the hour does not lie
            wholly in a night, shape (h,).
    """

    edges_ms: "NDArray[np.int64]"
    days: tuple[date, ...]
    day_numbers: "NDArray[np.int64]"
    clock_hours: "NDArray[np.int64]"
    is_workday: "NDArray[np.bool_]"
    is_holiday: "NDArray[np.bool_]"
    is_working: "NDArray[np.bool_]"
    is_idle: "NDArray[np.bool_]"
    nights: "NDArray[np.int64]"

    @property
    def ends_ms(self) -> "NDArray[np.int64]":
        """Ends of the hours, shape (h,) [UTC, ms]."""
        return self.edges_ms[1:]


def hour_grid(start: date, end: date, zone: "ZoneInfo", calendar: WorkingCalendar) -> HourGrid:
    """Return the hours of the local days from `start` up to, not including, `end`."""
    edges = periods.edges_ms(start, end, "hour", zone)
    days = tuple(periods.days(start, end))
    midnights = periods.edges_ms(start, end, "day", zone)
    numbers = np.searchsorted(midnights, edges[:-1], side="right") - 1
    begins_working = calendar.is_watched("working", edges[:-1])
    ends_working = calendar.is_watched("working", edges[1:] - 1)
    nights = np.full(len(edges) - 1, -1, dtype=np.int64)
    for number, day in enumerate(days):
        night_ms = calendar.night_of(day)
        nights[(edges[:-1] >= night_ms[0]) & (edges[1:] <= night_ms[1])] = number
    return HourGrid(
        edges,
        days,
        numbers,
        np.array([_clock_hour(time_ms, zone) for time_ms in edges[:-1].tolist()], dtype=np.int64),
        np.array([calendar.is_workday(day) for day in days], dtype=np.bool_),
        np.array([calendar.is_holiday(day) for day in days], dtype=np.bool_),
        begins_working & ends_working,
        ~begins_working & ~ends_working,
        nights,
    )


def _clock_hour(time_ms: int, zone: "ZoneInfo") -> int:
    return datetime.fromtimestamp(time_ms / 1000, zone).hour


class HourConsumption(msgspec.Struct, frozen=True):
    """Consumption by hour of some meters or areas.

    Attributes:
        grid: the hours.
        amounts: consumption of each hour, shape (m, h) [kWh, m3 or GJ]; NaN where unknown.
        coverage: share of each hour that is covered by readings, shape (m, h), 0 to 1.
    """

    grid: HourGrid
    amounts: "NDArray[np.float64]"
    coverage: "NDArray[np.float64]"

    @property
    def known(self) -> "NDArray[np.float64]":
        """Consumption of the hours that are fully covered, NaN for others, shape (m, h)."""
        return np.where(self.coverage >= FULL, self.amounts, np.nan)
