"""Find long stretches of zeros that occur in one year only. Pure.

Some gateways and spreadsheets write 0 if nothing was read. An empty building or a boiler in summer
also gives zeros, but usually in the other years too.
"""

from collections import defaultdict
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from ingest.importing.cells.local_days import local_time
from ingest.importing.judging.series_values import SeriesValues

_HOUR_MS: Final = 3_600_000
#: Shortest stretch that is doubted [ms].
_SHORTEST_MS: Final = 72 * _HOUR_MS
#: Zeros are usual if another year has a stretch of at least this share of the longest one.
_USUAL_SHARE: Final = 0.25


class ZeroStretch(msgspec.Struct, frozen=True):
    """Consecutive intervals with the value 0.

    Attributes:
        first_ms: start of the first one [UTC, ms].
        until_ms: end of the last one.
        line: line of the first one.
    """

    first_ms: int
    until_ms: int
    line: int

    @property
    def hours(self) -> float:
        """Length [h]."""
        return (self.until_ms - self.first_ms) / _HOUR_MS


def doubtful_zeros(values: SeriesValues, zone: ZoneInfo) -> ZeroStretch | None:
    """Return the longest stretch of zeros; None if it is short or occurs in another year too.

    Args:
        values: values of intervals, in the order of time.
        zone: time zone of the years.
    """
    longest: dict[int, ZeroStretch] = {}
    years: dict[int, float] = defaultdict(float)
    first = -1
    for place, value in enumerate(values.values):
        if value != 0:
            first = -1
            continue
        first = place if first < 0 else first
        stretch = ZeroStretch(
            values.times_ms[first],
            values.times_ms[place] + values.lengths_ms[place],
            values.lines[first],
        )
        if stretch.hours * _HOUR_MS >= _SHORTEST_MS:
            year = local_time(stretch.first_ms, zone).year
            if stretch.hours > years[year]:
                years[year], longest[year] = stretch.hours, stretch
    if not longest:
        return None
    year = max(longest, key=lambda one: longest[one].hours)
    covered = {
        local_time(values.times_ms[place], zone).year for place in range(0, len(values), 24)
    } | {local_time(values.times_ms[-1], zone).year}
    others = [years[one] for one in covered if one != year]
    is_usual = not others or max(others) >= _USUAL_SHARE * longest[year].hours
    return None if is_usual else longest[year]
