"""Measure the way from stored readings to the figures of a site.

Processor time is measured, and that of the store's thread is told apart. Each site is computed in a
process of its own, so that the memory is that of one site.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import msgspec

from jieneng.storage import StoreSettings, open_store
from tests.bench.analytics.metered_site import metered_site, write_readings
from tests.bench.analytics.site_run import Taken, compute
from tests.bench.result import Result
from tests.servers import Influx

_END: Final = date(2024, 1, 1)
#: Days of the sites of different sizes whose times are compared.
_COMPARED_DAYS: Final = 36
_SIZES: Final = (100, 1_000, 10_000)


def results() -> Iterator[Result]:
    """Measure a year of 1,000 meters, the growth with the size, a late hour, and InfluxDB."""
    year, _ = _site(1_000, 365)
    yield Result(
        bench="analytics.year_of_1000_meters",
        value=year.analytics_s,
        unit="CPU s",
        bar="< 15, the store apart",
    )
    yield Result(bench="analytics.year_of_1000_meters.store", value=year.store_s, unit="CPU s")
    yield Result(
        bench="analytics.late_hour_of_1000_meters",
        value=year.late_hour_s,
        unit="CPU s",
        bar="< 1, the store included",
    )
    for meters in _SIZES:
        taken, values = _site(meters, _COMPARED_DAYS)
        yield Result(
            bench=f"analytics.{meters}_meters",
            value=taken.analytics_s / values * 1e6,
            unit="CPU us a value",
            bar="the same for each size",
        )
        yield Result(
            bench=f"analytics.{meters}_meters.store",
            value=taken.store_s / values * 1e6,
            unit="CPU us a value",
        )
        yield Result(
            bench=f"analytics.{meters}_meters.memory",
            value=taken.memory_mb,
            unit="MB",
            bar="< 2048" if meters == max(_SIZES) else "",
        )
    with tempfile.TemporaryDirectory() as folder:
        seconds = asyncio.run(_influx_s(Path(folder)))
    yield Result(
        bench="analytics.year_of_10_meters_on_influxdb", value=seconds, unit="s", bar="< 3"
    )


def _site(meters: int, days: int) -> tuple[Taken, int]:
    """Compute a site in a new process; return what it took, and the number of its readings."""
    first = _END - timedelta(days=days)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        values = asyncio.run(_fill(folder, meters, first))
        program = [sys.executable, "-m", "tests.bench.analytics.site_run", name]
        found = subprocess.run(
            [*program, f"{first}", f"{_END - timedelta(days=1)}"],
            check=True,
            stdout=subprocess.PIPE,
        )
        return msgspec.json.decode(found.stdout, type=Taken), values


async def _fill(folder: Path, meters: int, first: date) -> int:
    site = metered_site(folder, meters)
    store = open_store(StoreSettings(), folder)
    await store.prepare()
    try:
        return await write_readings(site, store, first, _END)
    finally:
        await store.close()


async def _influx_s(folder: Path) -> float:
    """Return the time to compute a year of ten meters on an InfluxDB [s]."""
    site = metered_site(folder, 10)
    server = Influx(folder / "influx")
    server.start()
    try:
        store = open_store(StoreSettings(kind="influx", url=server.url, database="b"), folder)
        await store.prepare()
        await write_readings(site, store, _END - timedelta(days=365), _END)
        begin = time.perf_counter()
        await compute(site, store, _END - timedelta(days=1))
        taken_s = time.perf_counter() - begin
        await store.close()
        return taken_s
    finally:
        server.stop()
