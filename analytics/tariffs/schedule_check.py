"""Check the rows `[[schedule]]` of `tariffs.toml`. Pure: rows in, problems out."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from analytics.tariffs.price_periods import OVERRIDING, is_half_hour, period_counts
from analytics.tariffs.tariff import DAY_TYPES, Schedule
from jieneng.metering.errors import Msgid, Problem
from jieneng.metering.quantities import PRICE_PERIODS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BASIC: Final = tuple(period for period in PRICE_PERIODS if period not in OVERRIDING)


def check_schedules(rows: Sequence[Schedule]) -> Iterator[tuple[int, Problem]]:
    """Yield (row index, problem) for the first mistake of each schedule."""
    for index, row in enumerate(rows):
        problem = next(_problems(row), None)
        if problem is not None:
            yield index, problem


def _problems(row: Schedule) -> Iterator[Problem]:
    times = (
        clock_time
        for season in row.season
        for period in PRICE_PERIODS
        for span in getattr(season, period)
        for clock_time in span
    )
    for clock_time in times:
        if not is_half_hour(clock_time):
            yield Problem(
                text="schedule {id}: {time} is neither a full nor a half hour.",
                fix="Write times such as 19:00 or 19:30.",
                values={"id": row.id, "time": clock_time},
                path=("season",),
            )
    basic = np.sum([period_counts(row, period) for period in _BASIC], axis=0)
    overriding = np.sum([period_counts(row, period) for period in OVERRIDING], axis=0)
    yield from _wrong_half_hours(
        row, basic == 0, "schedule {id}: in month {month}, on a {day}, {time} has no price period."
    )
    yield from _wrong_half_hours(
        row, basic > 1, "schedule {id}: in month {month}, on a {day}, {time} has two price periods."
    )
    yield from _wrong_half_hours(
        row,
        overriding > 1,
        "schedule {id}: in month {month}, on a {day}, {time} is sharp or deep valley twice.",
    )


def _wrong_half_hours(
    row: Schedule, is_wrong: "NDArray[np.bool_]", text: Msgid
) -> Iterator[Problem]:
    """Yield a problem for the first wrong half hour.

    Args:
        row: the schedule.
        is_wrong: shape (12, 3, 48), True for each wrong half hour.
        text: sentence of the problem.
    """
    if not is_wrong.any():
        return
    month, day_type, number = (int(one) for one in np.argwhere(is_wrong)[0])
    yield Problem(
        text=text,
        fix="Each half hour of each month and type of day (workday, weekend, holiday) must be in"
        " exactly one span of peak, flat and valley, and in at most one of sharp and deep_valley.",
        values={
            "id": row.id,
            "month": month + 1,
            "day": DAY_TYPES[day_type],
            "time": f"{number // 2:02}:{number % 2 * 30:02}",
        },
        path=("season",),
    )
