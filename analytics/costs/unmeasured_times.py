"""Bound the cost of consumption whose time is not measured.

Laws:

1. If the consumption of a longer time was divided among intervals, it may have occurred at any hour
   of this time. Its least cost is that of all of it at the cheapest price of this time. Its
   greatest cost is that of all of it at the dearest price. Only prices of the days that are added
   up count. So a bill that begins and ends at readings is compared with all prices between the two
   readings.
2. If all prices of the time are equal, its cost is certain. Prices by amount (steps) count as
   certain.

Pure: arrays in, arrays out.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from analytics.figures.interval_series import MeterIntervals
from analytics.tariffs.account_plan import AccountPlan
from analytics.tariffs.price_periods import HALF_HOURS

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from numpy.typing import NDArray

_MINUTES = 30


class UnmeasuredTimes(msgspec.Struct, frozen=True):
    """Consumption that occurred at unknown hours, in arrays of shape (k,).

    Half hours and days are numbered from the start of the account's plan.

    Attributes:
        row: row of the meter.
        day: day to which the consumption was attributed.
        first: first half hour in which the consumption may have occurred.
        until: half hour after the last possible one.
        amount: consumption [kWh, m3 or GJ].
        yuan: cost of the consumption at the hours to which it was attributed [yuan].
    """

    row: "NDArray[np.int64]"
    day: "NDArray[np.int64]"
    first: "NDArray[np.int64]"
    until: "NDArray[np.int64]"
    amount: "NDArray[np.float64]"
    yuan: "NDArray[np.float64]"

    def chosen(self, is_chosen: "NDArray[np.bool_]") -> "UnmeasuredTimes":
        """Return the consumption for which `is_chosen` is True."""
        return UnmeasuredTimes(*(column[is_chosen] for column in msgspec.structs.astuple(self)))

    def moved(self, rows: "NDArray[np.int64]") -> "UnmeasuredTimes":
        """Return the consumption with new rows of meters: `rows` has the new number of each row."""
        return msgspec.structs.replace(self, row=rows[self.row])


def joined_times(parts: Iterable[UnmeasuredTimes]) -> UnmeasuredTimes:
    """Return the consumption of several parts as one; there must be at least one part."""
    columns = zip(*map(msgspec.structs.astuple, parts), strict=True)
    return UnmeasuredTimes(*map(np.concatenate, columns))


def unmeasured_times(
    plan: AccountPlan,
    intervals: MeterIntervals,
    rows: "NDArray[np.int64]",
    days: "NDArray[np.int64]",
    prices: "NDArray[np.float64]",
    zone: "ZoneInfo",
) -> UnmeasuredTimes:
    """Return the consumption of a window whose price depends on unknown hours.

    Args:
        plan: prices of the account; the days of the plan contain the window.
        intervals: consumption of meters.
        rows: rows of the intervals that count; `row` of the result is an index into them.
        days: shape (intervals,), number of the day within the plan.
        prices: shape (intervals,), price of each interval.
        zone: time zone of the site.
    """
    amount = intervals.consumption.amount[rows]
    has_some = ~intervals.is_measured[rows] & np.isfinite(amount) & (amount != 0)
    row, interval = np.nonzero(has_some)
    first = _half_hours(plan, intervals.from_ms[rows][has_some], zone)
    until = _half_hours(plan, intervals.until_ms[rows][has_some] - 1, zone) + 1
    keys = np.column_stack([row, days[interval], first, until])
    unique, place = np.unique(keys, axis=0, return_inverse=True)
    place = place.ravel()
    counted = amount[has_some]
    found = UnmeasuredTimes(
        row=unique[:, 0],
        day=unique[:, 1],
        first=unique[:, 2],
        until=unique[:, 3],
        amount=np.bincount(place, counted, len(unique)).astype(np.float64),
        yuan=np.bincount(place, counted * prices[interval], len(unique)).astype(np.float64),
    )
    least, greatest = plan.price_range(found.first, found.until)
    return found.chosen(greatest > least)


def possible_errors(
    plan: AccountPlan, times: UnmeasuredTimes, span: slice
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Return the amounts by which costs may be too high, and too low (law 1), shape (k,) [yuan].

    Args:
        plan: prices of the account.
        times: consumption at unknown hours, of days of the span.
        span: the days that are added up.
    """
    first = np.maximum(times.first, span.start * HALF_HOURS)
    until = np.minimum(times.until, span.stop * HALF_HOURS)
    least, greatest = plan.price_range(first, until)
    too_high = times.yuan - times.amount * least
    too_low = times.amount * greatest - times.yuan
    return np.maximum(too_high, 0.0), np.maximum(too_low, 0.0)


def joined_days(times: UnmeasuredTimes, span: slice) -> "NDArray[np.int64]":
    """Return the number of the run to which each day of a span belongs.

    Days that share consumption at an unknown time are one run.
    """
    size = span.stop - span.start
    first = np.clip(times.first // HALF_HOURS - span.start, 0, size)
    last = np.clip((times.until - 1) // HALF_HOURS - span.start, 0, size)
    changes = np.zeros(size + 1, dtype=np.int64)
    np.add.at(changes, first, 1)
    np.add.at(changes, last, -1)
    goes_on = np.cumsum(changes)[:size] > 0  # an unknown time goes on into the next day
    return np.concatenate([[0], np.cumsum(~goes_on[:-1])]) if size else np.zeros(0, np.int64)


def _half_hours(
    plan: AccountPlan, times_ms: "NDArray[np.int64]", zone: "ZoneInfo"
) -> "NDArray[np.int64]":
    """Return the number of the half hour of each time, limited to the half hours of the plan."""
    unique, place = np.unique(times_ms, return_inverse=True)
    moments = [datetime.fromtimestamp(ms / 1000, zone) for ms in unique.tolist()]
    numbers = [
        (one.date() - plan.days[0]) // timedelta(days=1) * HALF_HOURS
        + (60 * one.hour + one.minute) // _MINUTES
        for one in moments
    ]
    clipped = np.clip(np.array(numbers, dtype=np.int64), 0, len(plan.days) * HALF_HOURS - 1)
    found: NDArray[np.int64] = clipped[place.ravel()]
    return found
