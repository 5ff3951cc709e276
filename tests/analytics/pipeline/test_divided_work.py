"""Stored points are the same however meters and days are divided among runs, and in any order."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics import periods
from analytics.pipeline import consumption_windows
from analytics.pipeline.pipeline import Pipeline
from analytics.pipeline.registers import meter_records, read_context
from analytics.site_analytics import load_rules
from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION, EXPORT
from jieneng.metering.schema import Point, late_day_point
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store, StoreSettings, open_store
from tests.analytics.sites import folder as site_folder

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
FIRST, LAST = date(2024, 2, 20), date(2024, 3, 9)
LATE: Final = date(2024, 3, 5)
#: The hour of the late readings, counted from the first midnight.
LATE_HOUR: Final = 14 * 24 + 9
SUB_METERS: Final = 11


def site_text() -> str:
    """Two areas with a dozen meters, photovoltaics that export, water, and a virtual meter."""
    text = '[[area]]\nid = "block"\nname = "block"\n[[area]]\nid = "shop"\nname = "shop"\n'

    def meter(name: str, more: str, medium: str = "electricity", area: str = "block") -> str:
        return (
            f'[[meter]]\nid = "{name}"\nname = "{name}"\nmedium = "{medium}"\narea = "{area}"\n'
            f"{more}\n"
        )

    text += meter("e", "rated_max = 900.0")
    for number in range(SUB_METERS):
        area = "shop" if number % 3 == 0 else "block"
        item = ("lighting", "hvac", "power")[number % 3]
        more = f'parent = "e"\nitem = "{item}"\nrated_max = 60.0'
        text += meter(f"sub-{number}", more, area=area)
    text += meter("pv", 'role = "generation"\nrated_max = 60.0')
    text += meter("net", 'formula = "e - sub-0 - 0.5 * sub-1"\nparent = "e"')
    return text + meter("w", "", "water")


def registers() -> dict[tuple[str, str], NDArray[np.float64]]:
    """Return the hourly registers of 19 days, by meter and quantity."""
    rng = np.random.default_rng(11)
    hours = 19 * 24 + 1
    names = ["e", *(f"sub-{number}" for number in range(SUB_METERS)), "pv", "w"]
    found = {
        (name, CONSUMPTION["water" if name == "w" else "electricity"]): 1000.0
        + np.cumsum(rng.uniform(0, 50, hours)).round(2)
        for name in names
    }
    found["e", EXPORT] = np.cumsum(rng.uniform(0, 3, hours)).round(2)
    found["sub-3", "energy_kwh"][100:140] = np.nan  # an outage
    found["sub-4", "energy_kwh"][200:203] = 0.0
    found["sub-5", "energy_kwh"][300:] -= found["sub-5", "energy_kwh"][300]  # starts again
    found["sub-1", "energy_kwh"][LATE_HOUR - 3 : LATE_HOUR + 9] = np.nan  # besides the late hours
    return found


async def write(folder: SiteFolder, store: Store, *, late: bool) -> None:
    """Write the late hours only, or all others."""
    start_ms = periods.midnight_ms(FIRST, folder.site.zone)
    for (name, quantity), values in registers().items():
        is_late = np.zeros(len(values), dtype=np.bool_)
        if name == "sub-0":
            is_late[LATE_HOUR - 5 : LATE_HOUR + 6] = True
        await store.write(
            [
                Point.of(
                    folder.site.meters[name].medium,
                    (("meter", name), ("site", folder.site.id)),
                    ((quantity, float(values[hour])),),
                    start_ms + int(hour) * HOUR_MS,
                )
                for hour in np.flatnonzero(np.isfinite(values) & (is_late == late))
            ]
        )


async def stored(folder: SiteFolder, store: Store) -> Mapping[tuple[object, ...], float]:
    """Return all stored consumption and findings, by series, field and time."""
    found: dict[tuple[object, ...], float] = {}
    for name in (schema.CONSUMPTION, schema.FINDING):
        fields = sorted({*schema.FIELDS[name], "before", "aside", "amount"})
        for series in await store.read_columns(name, fields, where={}, start_ms=0, end_ms=2**42):
            key = name, *sorted(series.tags.items())
            for point in series.points(name):
                found |= {(*key, field, point.time_ms): value for field, value in point.fields}  # type: ignore[misc]  # no text
    return found


async def backfilled(path: Path, months: int = 6) -> Mapping[tuple[object, ...], float]:
    """Return what is stored once all days were computed from all readings."""
    folder = site_folder(path, site_text())
    store = open_store(StoreSettings(), path)
    await store.prepare()
    try:
        for late in (False, True):
            await write(folder, store, late=late)
        await runner(folder, store, months).backfill(FIRST, LAST, lambda _: None)
        return await stored(folder, store)
    finally:
        await store.close()


def runner(folder: SiteFolder, store: Store, months: int = 6) -> Pipeline:
    return Pipeline(folder, load_rules(folder.path), store, detail_days=9, window_months=months)


async def test_meters_and_days_are_computed_in_any_division(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tmp_path / name for name in ("together", "one-by-one", "day-by-day")]
    for folder in folders:
        folder.mkdir()
    together = await backfilled(folders[0])
    assert {key[0] for key in together} == {schema.CONSUMPTION, schema.FINDING}
    monkeypatch.setattr(read_context, "READINGS_AT_ONCE", 1)
    monkeypatch.setattr(meter_records, "MAX_NAMED", 2)
    assert await backfilled(folders[1], months=1) == together
    monkeypatch.setattr(consumption_windows, "VALUES_AT_ONCE", 1)
    assert await backfilled(folders[2]) == together


async def test_a_late_hour_gives_what_all_readings_at_once_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the late meter's readings are read, but its sums are those of all meters."""
    others = tmp_path / "others"
    others.mkdir()
    whole = await backfilled(others)
    folder = site_folder(tmp_path, site_text())
    store = open_store(StoreSettings(), tmp_path)
    await store.prepare()
    try:
        await write(folder, store, late=False)
        pipeline = runner(folder, store)
        await pipeline.backfill(FIRST, LAST, lambda _: None)
        before = await stored(folder, store)
        await write(folder, store, late=True)
        day_ms = periods.midnight_ms(LATE, folder.site.zone)
        await store.write([late_day_point(folder.site.id, "sub-0", day_ms, day_ms + DAY_MS)])
        read = _noted_reads(store, monkeypatch)
        assert await pipeline.recompute_marked(FIRST, LAST) == {LATE}
        after = await stored(folder, store)
        assert before != whole
        assert after == whole
        assert read == {"sub-0", "e"}  # of `e` two values, to learn whether it exports
        assert await pipeline.recompute_marked(FIRST, LAST) == set()
    finally:
        await store.close()


def _noted_reads(store: Store, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the set to which the meters are added whose readings are read from now on."""
    meters: set[str] = set()
    original = store.read_columns

    async def read_columns(measurement: str, fields: object, **rest: object) -> object:
        found = await original(measurement, fields, **rest)  # type: ignore[arg-type]
        if measurement in CONSUMPTION:
            meters.update(series.tags["meter"] for series in found)
        return found

    monkeypatch.setattr(store, "read_columns", read_columns)
    return meters
