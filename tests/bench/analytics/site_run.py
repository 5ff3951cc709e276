"""Compute the consumption and the figures of a site, and report the time and memory needed.

Run it in a process of its own: `python -m tests.bench.analytics.site_run FOLDER LAST`. LAST is the
last day with readings.
"""

import asyncio
import resource
import sys
import threading
import time
from collections.abc import Awaitable
from datetime import date, timedelta
from pathlib import Path

import msgspec

from analytics import periods
from analytics.pipeline.pipeline import Pipeline
from analytics.site_analytics import load_rules
from jieneng.metering.quantities import CONSUMPTION
from jieneng.metering.schema import Point, late_day_point
from jieneng.site_folder import SiteFolder, load
from jieneng.storage import Store, StoreSettings, open_store


class Taken(msgspec.Struct, frozen=True):
    """Time and memory of a run. Times of the analytics are CPU times outside of the store's thread.

    Attributes:
        consumption_s: time to compute the consumption of all days [s].
        figures_s: time to compute the figures of the last day's year [s].
        quotas_s: time to compute its annual quotas [s].
        store_s: CPU time of the store's thread for all of them [s].
        memory_mb: largest resident memory of the process up to then [MB].
        late_hour_s: CPU time to compute a late hour of one meter, the store included [s].
    """

    consumption_s: float
    figures_s: float
    quotas_s: float
    store_s: float
    memory_mb: float
    late_hour_s: float

    @property
    def analytics_s(self) -> float:
        """Time from the store to all indicators [s]."""
        return self.consumption_s + self.figures_s


async def compute(folder: SiteFolder, store: Store, last: date) -> Pipeline:
    """Compute all days up to `last`, and the figures of the year."""
    pipeline = Pipeline(folder, load_rules(folder.path), store)
    await pipeline.compute_missing_days(last, lambda _: None)
    as_of_ms = periods.midnight_ms(last + timedelta(days=1), folder.site.zone)
    figures = await pipeline.figures(f"{last:%Y}", None, as_of_ms)
    assert any(figure.value for figure in figures)
    return pipeline


async def run(path: Path, last: date) -> Taken:
    """Compute a site whose readings are in its embedded store."""
    folder = load(path)
    store = open_store(StoreSettings(), path)
    await store.prepare()
    try:
        pipeline = Pipeline(folder, load_rules(path), store)
        as_of_ms = periods.midnight_ms(last + timedelta(days=1), folder.site.zone)
        consumption_s = await _analytics_s(pipeline.compute_missing_days(last, lambda _: None))
        figures_s = await _analytics_s(pipeline.figures(f"{last:%Y}", None, as_of_ms))
        quotas_s = await _analytics_s(pipeline.quotas.annual(f"{last:%Y}", as_of_ms))
        store_s = _store_s()
        memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        late_s = await _late_hour_s(folder, store, pipeline, last)
        return Taken(consumption_s, figures_s, quotas_s, store_s, memory_mb, late_s)
    finally:
        await store.close()


async def _analytics_s(work: Awaitable[object]) -> float:
    """Return the CPU time that a piece of work takes outside of the store's thread [s]."""
    before = time.process_time() - _store_s()
    assert await work != []
    return time.process_time() - _store_s() - before


async def _late_hour_s(folder: SiteFolder, store: Store, pipeline: Pipeline, last: date) -> float:
    """Write another hour of one meter, mark its day as the ingest does, and compute it."""
    meter = folder.site.meter[5]
    day_ms = periods.midnight_ms(last - timedelta(days=3), folder.site.zone)
    tags = (("meter", meter.id), ("site", folder.site.id))
    span = {"start_ms": day_ms, "end_ms": day_ms + 9 * 3_600_000}
    quantity = CONSUMPTION[meter.medium]
    [around] = await store.read(meter.medium, quantity, where=dict(tags), **span)
    late = [
        Point.of(meter.medium, tags, ((quantity, value),), time_ms + 60_000)
        for time_ms, value in zip(around.times_ms[-4:].tolist(), around.values[-4:], strict=True)
    ]
    await store.write(
        [*late, late_day_point(folder.site.id, meter.id, day_ms, time.time_ns() // 10**6)]
    )
    begin = time.process_time()
    assert len(await pipeline.recompute_marked(last - timedelta(days=7), last)) == 1
    return time.process_time() - begin


def _store_s() -> float:
    """Return the CPU time of the thread of the embedded store [s]."""
    [thread] = [one for one in threading.enumerate() if one.name.startswith("sqlite")]
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident or 0))


if __name__ == "__main__":
    taken = asyncio.run(run(Path(sys.argv[1]), date.fromisoformat(sys.argv[2])))
    sys.stdout.buffer.write(msgspec.json.encode(taken))
