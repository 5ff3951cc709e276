"""Measure writing to and reading from the embedded store."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from jieneng.metering.schema import Point
from jieneng.storage import StoreSettings, open_store
from tests.bench.result import Result

_POINTS = 200_000
_CHUNK = 5_000


def results() -> Iterator[Result]:
    """One counter and its quality a point, 20 meters, written in chunks of 5,000, read at once."""
    with tempfile.TemporaryDirectory() as folder:
        write_s, read_s = asyncio.run(_measure(Path(folder)))
    yield Result(bench="sqlite.write", value=_POINTS / write_s, unit="points/s")
    yield Result(bench="sqlite.read", value=_POINTS / read_s, unit="points/s")


async def _measure(folder: Path) -> tuple[float, float]:
    store = open_store(StoreSettings(), folder)
    await store.prepare()
    try:
        points = [
            Point.of(
                "electricity",
                (("meter", f"e-{n % 20}"), ("site", "s")),
                (("energy_kwh", n / 100), ("quality", 0.0)),
                1_795_000_000_000 + n // 20 * 1000,
            )
            for n in range(_POINTS)
        ]
        begin = time.perf_counter()
        for start in range(0, _POINTS, _CHUNK):
            await store.write(points[start : start + _CHUNK])
        written = time.perf_counter()
        found = await store.read(
            "electricity", "energy_kwh", where={"site": "s"}, start_ms=0, end_ms=2_000_000_000_000
        )
        read = time.perf_counter()
        assert sum(len(series.values) for series in found) == _POINTS
        return written - begin, read - written
    finally:
        await store.close()
