"""Steps of time in calendar units: months, local days, or milliseconds. Pure."""

from datetime import timedelta
from functools import lru_cache
from typing import Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from ingest.importing.cells.local_days import local_time, time_of_local

StepUnit: TypeAlias = Literal["month", "day", "ms"]

DAY_MS: Final = 86_400_000
#: Mean length of a unit [ms]. 146,097 days are 4,800 months.
_NOMINAL_MS: Final = {"month": 146_097 * DAY_MS // 4_800, "day": DAY_MS, "ms": 1}
#: Shortest calendar step [ms]: a local day of the change to summer time has 23 hours.
_CALENDAR_MS: Final = 23 * 3_600_000
#: Two steps are alike if they differ by at most this share of the longer one.
_DIFFERENCE: Final = 0.1
#: The share for steps of 20 days or more: the day of a monthly reading shifts by some days.
_LONG_DIFFERENCE: Final = 0.2
_LONG_MS: Final = 20 * DAY_MS
#: Two steps are also alike if they differ by clock jitter: at most this time [ms], and at most this
#: share of the longer step.
_JITTER_MS: Final = 10_000
_JITTER_SHARE: Final = 0.3


class Step(msgspec.Struct, frozen=True):
    """A length of time: a number of months, local days or milliseconds.

    Attributes:
        unit: unit of the length.
        count: number of units.
    """

    unit: StepUnit
    count: int

    @property
    def nominal_ms(self) -> int:
        """Mean length [ms]."""
        return self.count * _NOMINAL_MS[self.unit]

    def is_like(self, other: "Step") -> bool:
        """Return True if two steps are about equally long, in the same unit or not."""
        one, two = self.nominal_ms, other.nominal_ms
        longer = max(one, two)
        share = _LONG_DIFFERENCE if min(one, two) >= _LONG_MS else _DIFFERENCE
        return abs(one - two) <= max(share * longer, min(_JITTER_MS, _JITTER_SHARE * longer))

    def shift(self, time_ms: int, zone: ZoneInfo, direction: int) -> int:
        """Return a time moved by one step [UTC, ms]: forward with direction 1, back with -1."""
        if self.unit == "ms":
            return time_ms + direction * self.count
        return _calendar_shift(time_ms, zone, self.unit, direction * self.count)


def step_between(start_ms: int, end_ms: int, zone: ZoneInfo) -> Step:
    """Return the step from a time to a later one.

    It is a number of months if both are at the same local time and day of the month, a number of
    days if both are at the same local time, and otherwise a number of milliseconds.
    """
    if end_ms - start_ms < _CALENDAR_MS:
        return Step("ms", end_ms - start_ms)
    start, end = local_time(start_ms, zone), local_time(end_ms, zone)
    if start.time() != end.time():
        return Step("ms", end_ms - start_ms)
    if start.day == end.day:
        return Step("month", (end.year - start.year) * 12 + end.month - start.month)
    return Step("day", (end.date() - start.date()).days)


@lru_cache(maxsize=4096)
def _calendar_shift(time_ms: int, zone: ZoneInfo, unit: StepUnit, count: int) -> int:
    local = local_time(time_ms, zone).replace(tzinfo=None)
    if unit == "day":
        shifted = local + timedelta(days=count)
    else:
        month = local.year * 12 + local.month - 1 + count
        first = local.replace(year=month // 12, month=month % 12 + 1, day=1)
        shifted = first + timedelta(days=local.day - 1)
    return time_of_local(shifted, zone)
