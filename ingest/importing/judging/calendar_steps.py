"""Lengths of time as people mean them: months, local days, or milliseconds. Pure."""

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
#: Steps from this length on are calendar steps [ms]: a local day has 23 hours or more.
_CALENDAR_MS: Final = 23 * 3_600_000
#: Greatest relative difference of steps that are alike, and of such of three weeks and more: dates
#: of a month's reading shift by some days.
_DIFFERENCE: Final = 0.1
_LONG_DIFFERENCE: Final = 0.2
_LONG_MS: Final = 20 * DAY_MS
#: Jitter of a clock [ms], and the greatest share of a step that it may be.
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
        """Return True if two steps differ by no more than a clock's jitter or a month's length."""
        one, two = self.nominal_ms, other.nominal_ms
        longer = max(one, two)
        share = _LONG_DIFFERENCE if min(one, two) >= _LONG_MS else _DIFFERENCE
        return abs(one - two) <= max(share * longer, min(_JITTER_MS, _JITTER_SHARE * longer))

    def shift(self, time_ms: int, zone: ZoneInfo, direction: int) -> int:
        """Return the time one step after a time, or with direction -1 before it [UTC, ms]."""
        if self.unit == "ms":
            return time_ms + direction * self.count
        return _calendar_shift(time_ms, zone, self.unit, direction * self.count)


def step_between(start_ms: int, end_ms: int, zone: ZoneInfo) -> Step:
    """Return the step from a time to a later one."""
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
