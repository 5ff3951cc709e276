"""Values that are judged by their neighbours have the same digits and findings in all windows."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics import periods
from analytics.pipeline.finding_store import FindingStore
from analytics.pipeline.pipeline import Pipeline
from analytics.site_analytics import load_rules
from jieneng.metering import schema
from jieneng.metering.schema import Point
from jieneng.storage import Store, StoreSettings, open_store
from tests.analytics.sites import folder as site_folder

FIRST, DAYS = date(2024, 1, 1), 150
HOURS = 24 * DAYS
SITE = '[[area]]\nid = "block"\nname = "block"\n' + "".join(
    f'[[meter]]\nid = "{one}"\nname = "{one}"\nmedium = "electricity"\narea = "block"\n{key}\n'
    for one, key in (("intervals", "rated_max = 100.0"), ("daily", 'resets = "daily"'), ("new", ""))
)


def intervals(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return consumption with numbers for no value, corrections, and too much in it."""
    values = rng.uniform(0, 40, HOURS).round(2)
    some = rng.integers(0, HOURS, 150)
    values[some] = rng.choice([-999, -1, 90, -60, 0, 900, 4294967295, -7], 150)
    for at in rng.integers(0, HOURS - 30, 12):
        values[at] = 79.34 + at % 7
        values[at + rng.integers(1, 24)] = -values[at]
    return values


def daily(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a register that is reset each day, with wrong values and a gap."""
    total = np.cumsum(rng.uniform(0, 9, HOURS))
    values = (total - total[np.arange(HOURS) // 24 * 24]).round(2)
    values[rng.integers(0, HOURS, 20)] = 0
    values[rng.integers(0, HOURS, 5)] = 4294967295
    values[500:520] = np.nan
    return values


def new(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a register after forty days of zeros, with all ones and a swap in it."""
    values = 90_000 + np.cumsum(rng.uniform(0, 9, HOURS)).round(2)
    values[: 24 * 40], values[2500:2530], values[2000] = 0, 429496729.5, -1
    values[3000:] += 5000
    return values


def folder(path: Path, name: str) -> Path:
    made = path / name
    made.mkdir()
    return made


async def computed(
    path: Path, window_months: int, parts: list[tuple[int, int]]
) -> tuple[Mapping[tuple[str, str, int], float], set[str]]:
    """Return the stored consumption by day and the findings."""
    small = site_folder(path, SITE)
    store = open_store(StoreSettings(), path)
    await store.prepare()
    await _write(store, periods.midnight_ms(FIRST, small.site.zone))
    for first, end in parts:
        runner = Pipeline(
            small, load_rules(path), store, detail_days=1, window_months=window_months
        )
        days = FIRST + timedelta(days=first), FIRST + timedelta(days=end - 1)
        await runner.backfill(*days, lambda _: None)
    rows: dict[tuple[str, str, int], float] = {}
    for field in ("energy_kwh", schema.COVERAGE, schema.ESTIMATED, schema.BOUNDED):
        for series in await store.read(
            schema.CONSUMPTION,
            field,
            where={"kind": "meter", "interval": "day"},
            start_ms=0,
            end_ms=2**42,
        ):
            times = series.times_ms.tolist()
            rows |= {
                (series.tags["scope"], field, time): value
                for time, value in zip(times, series.values.tolist(), strict=True)
            }
    found = await FindingStore(small.site, store).overlapping(0, 2**42)
    await store.close()
    return rows, {str(one) for one in found}


async def _write(store: Store, start_ms: int) -> None:
    rng = np.random.default_rng(5)
    for meter, values in (("intervals", intervals(rng)), ("daily", daily(rng)), ("new", new(rng))):
        is_interval = meter == "intervals"
        await store.write(
            [
                Point.of(
                    schema.INTERVAL if is_interval else "electricity",
                    (("meter", meter), ("site", "centre")),
                    (("energy_kwh", value), *(((schema.INTERVAL_S, 3600.0),) * is_interval)),
                    start_ms + 3_600_000 * hour,
                )
                for hour, value in enumerate(values.tolist())
                if np.isfinite(value)
            ]
        )


@pytest.mark.parametrize("parts", [[(0, DAYS)], [(80, DAYS), (0, 40), (40, 80)]])
async def test_windows_agree(tmp_path: Path, parts: list[tuple[int, int]]) -> None:
    whole, found = await computed(folder(tmp_path, "whole"), 12, [(0, DAYS)])
    rows, findings = await computed(folder(tmp_path, "parts"), 1, parts)
    assert rows == whole
    assert findings == found
    for code in ("no_value", "negative_interval", "above_nameplate", "set_aside", "unusual_step"):
        assert any(code in one for one in found), code
