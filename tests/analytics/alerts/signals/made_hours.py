"""Consumption by hour of made-up meters."""

from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np

from analytics.calendar.hour_grid import HourConsumption, hour_grid
from analytics.calendar.working_calendar import WorkingCalendar
from analytics.calendar.working_hours import Hours

SHANGHAI = ZoneInfo("Asia/Shanghai")


def made_hours(
    start: date,
    end: date,
    amount: Callable[[datetime], float],
    zone: ZoneInfo = SHANGHAI,
    hours: Hours | None = None,
) -> HourConsumption:
    """Return the hours of one meter, fully covered, with the amount of each local hour.

    An amount of NaN is an hour without coverage.
    """
    grid = hour_grid(start, end, zone, WorkingCalendar(hours or Hours(), zone))
    begins = [datetime.fromtimestamp(one / 1000, zone) for one in grid.edges_ms[:-1].tolist()]
    amounts = np.array([[amount(one) for one in begins]])
    return HourConsumption(grid, amounts, np.isfinite(amounts).astype(np.float64))


def at_hour(
    hours: HourConsumption,
    values: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]",
    moment: datetime,
) -> float:
    """Return the value of the hour that begins at a local time."""
    zone = hours.grid.edges_ms[:-1].tolist()
    index = zone.index(round(moment.timestamp() * 1000))
    return float(values[0, index])
