"""Measure the way from stored readings to the figures of a site.

Processor time is measured; that of the store's thread is reported separately. Each site is computed
in a process of its own, so that the memory is that of one site. Another process writes the readings
before.

To run a part: `python -m tests.bench.analytics.site_figures --meters 100 1000 --days 8` compares
sizes of sites. With `--daily`, the sites have readings once a day for years, and annual quotas.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import msgspec

from jieneng.storage import StoreSettings, open_store
from tests.bench.analytics.metered_site import STEP_MS, metered_site, write_readings
from tests.bench.analytics.site_run import Taken, compute
from tests.bench.result import Result
from tests.servers import Influx

_END: Final = date(2024, 1, 1)
#: Days of the sites of different sizes whose times are compared.
_COMPARED_DAYS: Final = 36
_SIZES: Final = (100, 1_000, 10_000)
#: First day of the sites with years of readings, and the day after the last one. The forecast of
#: the running year rests on the four years before it.
_YEARS: Final = (date(2020, 1, 1), date(2024, 7, 1))
_YEARS_SIZES: Final = (100, 1_000)
_DAY_MS: Final = 86_400_000


def results() -> Iterator[Result]:
    """Measure a year of 1,000 meters, the growth with the size, a late hour, and InfluxDB."""
    year, _ = _site(1_000, _END - timedelta(days=365), _END)
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
    yield from _growth(_SIZES, _COMPARED_DAYS)
    yield from _years(_YEARS_SIZES)
    with tempfile.TemporaryDirectory() as folder:
        seconds = asyncio.run(_influx_s(Path(folder)))
    yield Result(
        bench="analytics.year_of_10_meters_on_influxdb", value=seconds, unit="s", bar="< 3"
    )


def _growth(sizes: Sequence[int], days: int) -> Iterator[Result]:
    """Measure sites of several sizes with readings each quarter of an hour."""
    for meters in sizes:
        taken, values = _site(meters, _END - timedelta(days=days), _END)
        name = f"analytics.{meters}_meters"
        for part, seconds in (
            ("", taken.analytics_s),
            (".consumption", taken.consumption_s),
            (".figures", taken.figures_s),
            (".store", taken.store_s),
        ):
            yield Result(
                bench=f"{name}{part}",
                value=seconds / values * 1e6,
                unit="CPU us a value",
                bar="" if part == ".store" else "the same for each size",
            )
        yield Result(
            bench=f"{name}.memory",
            value=taken.memory_mb,
            unit="MB",
            bar="< 2048" if meters == max(_SIZES) else "",
        )


def _years(sizes: Sequence[int]) -> Iterator[Result]:
    """Measure the forecast and the annual quotas of a year that goes on, after four years."""
    for meters in sizes:
        taken, _ = _site(meters, *_YEARS, step_ms=_DAY_MS)
        for part, seconds in (("figures", taken.figures_s), ("quotas", taken.quotas_s)):
            yield Result(
                bench=f"analytics.running_year_of_{meters}_meters.{part}",
                value=seconds / meters * 1e3,
                unit="CPU ms a meter",
                bar="the same for each size",
            )
        yield Result(
            bench=f"analytics.running_year_of_{meters}_meters.memory",
            value=taken.memory_mb,
            unit="MB",
        )


def _site(meters: int, first: date, end: date, step_ms: int = STEP_MS) -> tuple[Taken, int]:
    """Compute a site in a new process; return what it took, and the number of its readings."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        values = asyncio.run(_fill(folder, meters, (first, end), step_ms))
        program = [sys.executable, "-m", "tests.bench.analytics.site_run", name]
        found = subprocess.run(
            [*program, f"{end - timedelta(days=1)}"], check=True, stdout=subprocess.PIPE
        )
        return msgspec.json.decode(found.stdout, type=Taken), values


async def _fill(folder: Path, meters: int, days: tuple[date, date], step_ms: int) -> int:
    site = metered_site(folder, meters)
    store = open_store(StoreSettings(), folder)
    await store.prepare()
    try:
        return await write_readings(site, store, *days, step_ms)
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


def _pieces() -> Iterator[Result]:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--meters", type=int, nargs="+", default=_SIZES)
    parser.add_argument("--days", type=int, default=_COMPARED_DAYS)
    parser.add_argument("--daily", action="store_true", help="readings once a day, for years")
    wanted = parser.parse_args()
    yield from _years(wanted.meters) if wanted.daily else _growth(wanted.meters, wanted.days)


if __name__ == "__main__":
    for result in _pieces():
        print(result.line(), flush=True)
