"""Fill the demo's store with the readings of the simulated meters from 2020 on."""

import math
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from jieneng.metering.reading import Quality
from jieneng.metering.schema import QUALITY, Point
from jieneng.metering.site import Site
from jieneng.storage import Store
from simulators.meter_history import CounterSeries, full_hours, midnights, readings
from simulators.simulated_site import SimulatedSite

#: First day of the plan's base year.
FIRST_DAY: Final = date(2020, 1, 1)
#: Number of latest days with hourly readings; earlier days have one reading each.
_HOURLY_DAYS: Final = 45
_POINTS_A_WRITE: Final = 20_000


async def load(
    store: Store, simulated: SimulatedSite, today: date, progress: Callable[[float], None]
) -> date | None:
    """Fill the store up to last midnight. Return the first filled day; None if there was none.

    If the folder was kept from an earlier run, filling continues after its last day with readings.

    Args:
        store: the prepared store.
        simulated: the simulated centre.
        today: the local date.
        progress: called with the share done, 0 to 1.
    """
    site = simulated.site
    first = await _first_day(store, site)
    if first >= today:
        return None
    times = moments(site, first, today)
    # Only the counters from which figures are computed, to save time.
    rows = [
        series
        for series in readings(simulated, times)
        if series.quantity == simulated.meters[series.meter].counter_quantity
    ]
    for number, series in enumerate(rows):
        for chunk in _chunks(list(points(site, series))):
            await store.write(chunk)
        progress((number + 1) / len(rows))
    return first


def moments(site: Site, first: date, today: date) -> NDArray[np.int64]:
    """Return midnights from `first` to `today`, and full hours of the latest days [UTC, ms]."""
    days = midnights(site, first, today)
    hourly_from = max(first, today - timedelta(days=_HOURLY_DAYS))
    hours = full_hours(int(midnights(site, hourly_from, hourly_from)[0]), int(days[-1]))
    return np.union1d(days, hours)


def points(site: Site, series: CounterSeries) -> Iterator[Point]:
    """Yield a counter's readings as points, marked as read by hand."""
    medium = site.meters[series.meter].medium
    tags = (("meter", series.meter), ("site", site.id))
    quality = (QUALITY, float(Quality.MANUAL))
    for time_ms, value in zip(series.times_ms.tolist(), series.values.tolist(), strict=True):
        if not math.isnan(value):  # NaN: the meter did not exist yet
            yield Point.of(medium, tags, ((series.quantity, value), quality), time_ms)


async def _first_day(store: Store, site: Site) -> date:
    """Return the day after the last day with readings; without readings, the base year's first."""
    last = FIRST_DAY
    for medium in {meter.medium for meter in site.meter}:
        span = await store.span(medium, where={"site": site.id})
        if span is None:
            return FIRST_DAY
        seen = datetime.fromtimestamp(span[1] / 1000, site.zone).date()
        last = max(last, seen + timedelta(days=1))
    return last


def _chunks(rows: list[Point]) -> Iterator[list[Point]]:
    for start in range(0, len(rows), _POINTS_A_WRITE):
        yield rows[start : start + _POINTS_A_WRITE]
