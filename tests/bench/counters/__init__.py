"""Measure how fast registers become consumption by hour and day, beside polars and pandas.

A site of meters is read each quarter of an hour for a year, each meter at its own second. Ours does
all that `analytics.counters` does: it decides which readings are believed, interpolates at the
edges, and marks gaps. The peers take plain differences, without any rule, in one thread. The unit
is a million register values in a second of CPU time. The fastest of several runs counts, because
other work on the machine only makes runs slower. The ratio compares with the fastest way of polars.
"""

import tempfile
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics import periods
from analytics.counters.batch.many_meters import MeterReadings, consumption_of_meters
from analytics.counters.meter_devices import HOUR_MS, Device, MeterDevices
from analytics.periods import Interval
from tests.bench.counters.frame_peers import peer_rates
from tests.bench.result import Result, least_cpu_s

_ZONE: Final = ZoneInfo("Asia/Shanghai")
_START, _END = date(2024, 1, 1), date(2024, 12, 31)
_METERS: Final = 20
_STEP_MS: Final = HOUR_MS // 4
#: 1,000 kW, counted in 0.01 kWh.
_DEVICES: Final = MeterDevices("m", (Device(step=0.01),), 1000.0, zone=_ZONE)
_ZEROS: Final = 0.01
_SPIKES: Final = 0.001
_GAPS: Final = 20

_Columns = tuple[NDArray[np.int64], NDArray[np.float64]]


def results() -> Iterator[Result]:
    """Tell the rate for clean registers, and for registers with zeros, spikes and gaps."""
    rng = np.random.default_rng(16)
    clean = _registers(rng)
    dirty = [_with_dirt(*columns, rng) for columns in clean]
    for kind, meters, bar in (
        ("clean", clean, ">= 25, and >= 5 x polars"),
        ("dirty", dirty, ">= 3 x polars"),
    ):
        rate = _rate(meters)
        peers = _peers(meters)
        polars = [peer for name, peer in peers.items() if name.startswith("polars")]
        yield Result(
            bench=f"counters.{kind}",
            value=rate,
            unit="million values/CPU s",
            bar=bar,
            peer=peers,
            ratio=rate / max(polars) if polars else None,
        )


def _registers(rng: np.random.Generator) -> list[_Columns]:
    """Return registers from just before the year until just after it."""
    start_ms, end_ms = (periods.midnight_ms(day, _ZONE) for day in (_START, _END))
    times = np.arange(start_ms - _STEP_MS, end_ms + 2 * _STEP_MS, _STEP_MS)
    counted = np.cumsum(rng.gamma(2, 5, (_METERS, len(times))), axis=1)
    return [(times + 1000 * number, np.round(1000 + of, 2)) for number, of in enumerate(counted)]


def _with_dirt(
    times: NDArray[np.int64], values: NDArray[np.float64], rng: np.random.Generator
) -> _Columns:
    """Return a register with zeros, spikes and gaps of 1 to 24 hours between its ends."""
    values, kept = values.copy(), np.ones(len(values), dtype=np.bool_)
    inner = values[1:-1]
    inner[rng.random(len(inner)) < _SPIKES] *= 10
    inner[rng.random(len(inner)) < _ZEROS] = 0.0
    for first in rng.integers(1, len(values) - 100, _GAPS).tolist():
        kept[first : first + int(rng.integers(4, 97))] = False
    return times[kept], values[kept]


def _grids() -> Mapping[Interval, NDArray[np.int64]]:
    grids: tuple[Interval, ...] = ("hour", "day")
    return {interval: periods.edges_ms(_START, _END, interval, _ZONE) for interval in grids}


def _rate(meters: list[_Columns]) -> float:
    readings = [MeterReadings(_DEVICES, *columns) for columns in meters]
    grids = _grids()
    count = sum(len(times) for times, _ in meters)
    return count / least_cpu_s(lambda: consumption_of_meters(readings, grids)) / 1e6


def _peers(meters: list[_Columns]) -> Mapping[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "readings.npz"
        np.savez(
            file,
            meter=np.repeat(np.arange(len(meters)), [len(times) for times, _ in meters]),
            time_ms=np.concatenate([times for times, _ in meters]),
            value=np.concatenate([values for _, values in meters]),
        )
        return peer_rates(file, _ZONE.key)
