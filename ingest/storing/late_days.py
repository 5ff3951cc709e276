"""Mark the local days of late readings, so that the consumption of these days is computed again.

Laws:

1. If a reading is written more than six hours after its time, its local day is marked for its
   meter, in the same write. Newer readings need no mark, because the analytics computes yesterday
   and today continually. An imported interval marks every local day that it overlaps.
2. A mark is a point with the meter and the day; a new mark replaces an older one. Its field is the
   time of the write. So if further late readings are written later, the day is marked again.
3. A mark depends only on the reading and the clock, so several ingest processes need no
   coordination.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from jieneng.clock import Clock
from jieneng.metering.quantities import MEDIA
from jieneng.metering.schema import INTERVAL, Point, interval_ms, late_day_point
from jieneng.metering.site import Site

#: Age from which a reading is late [ms].
LATE_MS: Final = 6 * 3_600_000
#: Within a quarter of an hour (from a full one), offset and date are constant in all zones [ms].
_QUARTER_MS: Final = 900_000

#: Midnight plus this time is always in the next local day [ms].
_DAY_AND_A_HALF_MS: Final = 36 * 3_600_000

_READINGS: Final = frozenset({*MEDIA, INTERVAL})


class LateDays:
    """Marks the days of late readings of a site.

    Args:
        site: the site.
        clock: the clock.
    """

    def __init__(self, site: Site, clock: Clock) -> None:
        self._site = site.id
        self._zone = site.zone
        self._clock = clock

    def marks(self, points: Iterable[Point]) -> list[Point]:
        """Return a mark for each (day, meter) with late readings among points to be written."""
        now_ms = self._clock.now_ms()
        late_ms = now_ms - LATE_MS
        days = {
            (dict(point.tags)["meter"], midnight_ms)
            for point in points
            if point.time_ms < late_ms and point.measurement in _READINGS
            for midnight_ms in self._touched_days(point)
        }
        return [
            late_day_point(self._site, meter, midnight_ms, now_ms)
            for meter, midnight_ms in sorted(days)
        ]

    def _touched_days(self, point: Point) -> Iterator[int]:
        """Yield the start of each local day that a reading or an interval overlaps [UTC, ms]."""
        midnight_ms = _midnight_ms(point.time_ms // _QUARTER_MS, self._zone)
        yield midnight_ms
        end_ms = point.time_ms + interval_ms(point)
        while (midnight_ms := _next_midnight_ms(midnight_ms, self._zone)) < end_ms:
            yield midnight_ms


@lru_cache(maxsize=65536)
def _next_midnight_ms(midnight_ms: int, zone: ZoneInfo) -> int:
    """Return the start of the next local day [UTC, ms]; days have 23 to 25 hours."""
    return _midnight_ms((midnight_ms + _DAY_AND_A_HALF_MS) // _QUARTER_MS, zone)


@lru_cache(maxsize=65536)
def _midnight_ms(quarter: int, zone: ZoneInfo) -> int:
    """Return the start of the local day of a quarter of an hour, counted from 1970 [UTC, ms]."""
    day = datetime.fromtimestamp(quarter * _QUARTER_MS / 1000, zone).date()
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return round(midnight.astimezone(UTC).timestamp() * 1000)
