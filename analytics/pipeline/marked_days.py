"""Find the local days that the ingest has marked because readings arrived late.

Laws:

1. A mark is open until its day has been computed. Only then is it recorded in `recomputed_day`. So
   interrupted work is repeated, and finished work is not.
2. If further late readings arrive for the day, it gets a newer mark, and is computed again.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import TypeAlias

from analytics import periods
from jieneng.metering.schema import (
    LATE_DAY,
    RECOMPUTED_DAY,
    WRITTEN_MS,
    Point,
    recomputed_day_point,
)
from jieneng.metering.site import Site
from jieneng.storage import Store

#: `written_ms` of marks, by (meter, start of the day [UTC, ms]).
Marks: TypeAlias = Mapping[tuple[str, int], float]


class MarkedDays:
    """The marks of a site.

    Args:
        site: the site.
        store: the store, prepared.
    """

    def __init__(self, site: Site, store: Store) -> None:
        self._site = site
        self._store = store

    async def open_marks(self, first: date, last: date) -> Marks:
        """Return the open marks of the days `first` to `last`."""
        span = (
            periods.midnight_ms(first, self._site.zone),
            periods.midnight_ms(last, self._site.zone) + 1,
        )
        done = await self._read(RECOMPUTED_DAY, span)
        marks = await self._read(LATE_DAY, span)
        return {key: written for key, written in marks.items() if done.get(key) != written}

    def days(self, marks: Marks) -> set[date]:
        """Return the local days of marks."""
        return {periods.local_day(time_ms, self._site.zone) for _, time_ms in marks}

    def between(self, marks: Marks, first: date, last: date) -> Marks:
        """Return the marks of the days `first` to `last`."""
        start_ms = periods.midnight_ms(first, self._site.zone)
        end_ms = periods.midnight_ms(last + timedelta(days=1), self._site.zone)
        return {key: at for key, at in marks.items() if start_ms <= key[1] < end_ms}

    def notes(self, marks: Marks) -> Iterable[Point]:
        """Return the points that record the marks as computed."""
        return [
            recomputed_day_point(self._site.id, meter, time_ms, round(written_ms))
            for (meter, time_ms), written_ms in sorted(marks.items())
        ]

    async def _read(self, measurement: str, span: tuple[int, int]) -> dict[tuple[str, int], float]:
        found = {}
        for series in await self._store.read(
            measurement,
            WRITTEN_MS,
            where={"site": self._site.id},
            start_ms=span[0],
            end_ms=span[1],
        ):
            times, values = series.times_ms.tolist(), series.values.tolist()
            for time_ms, written_ms in zip(times, values, strict=True):
                found[series.tags["meter"], time_ms] = written_ms
        return found
