"""Compute the working hours, nights and quiet hours of a site. Pure: no clock, no file.

Laws:

1. Hours are in local time. A span contains its start but not its end. When clocks go back, an hour
   is repeated: a span begins the first time that the clock shows its start, and ends the last time
   that the clock shows its end. When clocks go forward, a start or end in the skipped hour is the
   moment of the change.
2. A span over midnight belongs to the local day on which it begins. A night belongs to the local
   day on which it ends, because people read its figures in the morning.
3. Days off and moved workdays of mainland China come from the library `chinese_calendar`, which
   follows the notices of the General Office of the State Council. The site's own `holiday` and
   `workday` override the library. In years that the library does not cover, and at sites outside
   of mainland China, the days off are the weekends.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

import chinese_calendar
import numpy as np

from analytics.calendar.working_hours import Hours, When
from analytics.periods import local_day

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Time zones of mainland China, also under their old IANA names.
_MAINLAND: Final = frozenset(
    ("Asia/Shanghai", "Asia/Urumqi", "Asia/Chongqing", "Asia/Chungking", "Asia/Harbin",
     "Asia/Kashgar", "PRC")
)  # fmt: skip
_KNOWN_YEARS: Final = frozenset(day.year for day in chinese_calendar.holidays)
_SATURDAY: Final = 5  # `date.weekday`
_MINUTES_OF_DAY: Final = 1440
_MARGIN: Final = timedelta(days=31)  # computed before and after the requested days
_ONE_DAY: Final = timedelta(days=1)


class _Spans(NamedTuple):
    """The spans of the local days from `first` to `last`, as sorted times [UTC, ms]."""

    first: date
    last: date
    starts_ms: "NDArray[np.int64]"
    ends_ms: "NDArray[np.int64]"

    def contain(self, times_ms: "NDArray[np.int64]") -> "NDArray[np.bool_]":
        """Return True for each time that lies in a span."""
        if not len(self.starts_ms):
            return np.zeros(times_ms.shape, dtype=np.bool_)
        begun = np.searchsorted(self.starts_ms, times_ms, side="right") - 1
        inside: NDArray[np.bool_] = (begun >= 0) & (times_ms < self.ends_ms[begun])
        return inside


class WorkingCalendar:
    """The working hours, nights and quiet hours of a site.

    Args:
        hours: table `[hours]` of `alerts.toml`, checked.
        zone: time zone of the site.
    """

    def __init__(self, hours: Hours, zone: ZoneInfo) -> None:
        self._hours = hours
        self._zone = zone
        self._days_off = frozenset(hours.holiday)
        self._workdays = frozenset(hours.workday)
        self._is_mainland = zone.key in _MAINLAND
        self._computed: dict[str, _Spans] = {}

    def is_workday(self, day: date) -> bool:
        """Return True if a local day is a working day."""
        if day in self._days_off or day in self._workdays:
            return day in self._workdays
        if self._is_mainland and day in chinese_calendar.workdays:
            return True
        if self._is_mainland and day in chinese_calendar.holidays:
            return False
        return day.weekday() < _SATURDAY

    def is_holiday(self, day: date) -> bool:
        """Return True if a local day is a public holiday, or a `holiday` of the site."""
        if day in self._days_off or day in self._workdays:
            return day in self._days_off
        return self._is_mainland and day in chinese_calendar.holidays

    def is_watched(self, when: When, times_ms: "NDArray[np.int64]") -> "NDArray[np.bool_]":
        """Return True for each time at which a rule with this `when` is evaluated.

        Args:
            when: hours of the rule.
            times_ms: times of any shape, in any order [UTC, ms].
        """
        if when == "always" or not times_ms.size:
            return np.ones(times_ms.shape, dtype=np.bool_)
        if when == "idle":
            return ~self._spans("working", times_ms).contain(times_ms)
        return self._spans(when, times_ms).contain(times_ms)

    def is_quiet(self, time_ms: int) -> bool:
        """Return True for a time in the quiet hours [UTC, ms]."""
        return self.quiet_until(time_ms) > time_ms

    def quiet_until(self, time_ms: int) -> int:
        """Return the end of the quiet hours that contain a time; else the time itself."""
        times_ms = np.array([time_ms], dtype=np.int64)
        spans = self._spans("quiet", times_ms)
        if not spans.contain(times_ms)[0]:
            return time_ms
        return int(spans.ends_ms[np.searchsorted(spans.starts_ms, time_ms, side="right") - 1])

    def night_of(self, day: date) -> tuple[int, int]:
        """Return start and end of the night that ends on a local day [UTC, ms]."""
        start, end = map(_minutes, self._hours.night)
        begins = day if start < end else day - _ONE_DAY
        return self._moment_ms(begins, start, last=False), self._moment_ms(day, end, last=True)

    def next_time(self, clock_time: str, after_ms: int) -> int:
        """Return the next time after `after_ms` at which the clock shows, e.g., 08:00 [UTC, ms]."""
        day = local_day(after_ms, self._zone)
        while True:
            found = self._moment_ms(day, _minutes(clock_time), last=False)
            if found > after_ms:
                return found
            day += _ONE_DAY

    def _spans(self, kind: str, times_ms: "NDArray[np.int64]") -> _Spans:
        """Return the spans of a kind that may contain any of the times."""
        first = local_day(int(times_ms.min()), self._zone) - _ONE_DAY
        last = local_day(int(times_ms.max()), self._zone)
        known = self._computed.get(kind)
        if known is None or not known.first <= first <= last <= known.last:
            known = self._compute(kind, first - _MARGIN, last + _MARGIN)
            self._computed[kind] = known
        return known

    def _compute(self, kind: str, first: date, last: date) -> _Spans:
        span: tuple[str, ...] = getattr(self._hours, kind)
        days = [
            date.fromordinal(number)
            for number in range(first.toordinal(), last.toordinal() + 1)
            if span and (kind != "working" or self.is_workday(date.fromordinal(number)))
        ]
        if not days:
            nothing = np.array([], dtype=np.int64)
            return _Spans(first, last, nothing, nothing)
        start, end = map(_minutes, span)
        over_midnight = _MINUTES_OF_DAY if end <= start else 0
        starts_ms = [self._moment_ms(day, start, last=False) for day in days]
        ends_ms = [self._moment_ms(day, end + over_midnight, last=True) for day in days]
        return _Spans(first, last, np.array(starts_ms, np.int64), np.array(ends_ms, np.int64))

    def _moment_ms(self, day: date, minutes: int, *, last: bool) -> int:
        """Return the time at which the clock shows `minutes` after the midnight of a local day.

        Args:
            day: the local day.
            minutes: minutes after midnight; 1440 and more are on the following day.
            last: True for the second of the two times when an hour is repeated.
        """
        day += timedelta(days=minutes // _MINUTES_OF_DAY)
        minutes %= _MINUTES_OF_DAY
        local = datetime.combine(day, time(minutes // 60, minutes % 60), self._zone)
        moment = local.replace(fold=int(last)).astimezone(UTC)
        if moment.astimezone(self._zone).replace(tzinfo=None) != local.replace(tzinfo=None):
            moment = self._change(
                local.replace(fold=1).astimezone(UTC), local.replace(fold=0).astimezone(UTC)
            )
        return round(moment.timestamp() * 1000)

    def _change(self, before: datetime, after: datetime) -> datetime:
        """Return the moment at which clocks go forward between two moments, to the second."""
        offset = after.astimezone(self._zone).utcoffset()
        while after - before > timedelta(seconds=1):
            middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
            if middle.astimezone(self._zone).utcoffset() == offset:
                after = middle
            else:
                before = middle
        return after


def years_without_holidays(years: Iterable[int], hours: Hours, zone: ZoneInfo) -> list[int]:
    """Return the years whose public holidays are neither in the library nor in `[hours]`."""
    written = {day.year for day in hours.holiday}
    return [
        year
        for year in years
        if zone.key in _MAINLAND and year not in _KNOWN_YEARS and year not in written
    ]


def _minutes(clock_time: str) -> int:
    hour, minute = clock_time.split(":")
    return int(hour) * 60 + int(minute)
